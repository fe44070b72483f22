"""How many latents a model uses: units whose posterior mean moves with the image."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count, check_positive
from zoo.core.failures import check_figures
from zoo.scores.chunks import collect_batch, in_chunks, preprocessed


class ActiveUnits(NamedTuple):
    """Variances over images of the posterior mean of every latent, as two procedures see it.

    Attributes:
      encoder_variance: that of the mean of the model's own q(z given x), [K].
      hmc_variance: that of E[z given x], which chains estimate, [K]. It is free of their Monte
        Carlo noise on average, so that it may fall below zero for a unit that does nothing.
      num_active_encoder: the number of units whose `encoder_variance` is above the threshold.
      num_active_hmc: the number of units whose `hmc_variance` is above the threshold.
    """

    encoder_variance: np.ndarray
    hmc_variance: np.ndarray
    num_active_encoder: int
    num_active_hmc: int


def active_units(
    model,
    data,
    *,
    num_images: int | None = None,
    num_chains: int = 4,
    num_draws: int = 100,
    num_steps: int = 2,
    num_leapfrog_steps: int = 5,
    num_adaptation_steps: int = 50,
    threshold: float = 0.01,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> ActiveUnits:
    """Counts active units, those with Var_x(E[z_k given x]) > 0.01 (Burda et al. 2016, section 5).

    The paper takes the mean of q for that of the posterior. Where the decoder learned from other
    samples than those of q, an encoder that fits badly may hide what a unit does: hence the means
    of HMC chains, too, which start at draws of q. Their first transitions tune one factor on the
    step sizes of every chain, which are otherwise proportional to the standard deviations of q, and
    are dropped. The variance is the covariance over images between the means of the two halves of
    the chains, whose noise is independent: so the noise adds nothing to it on average. What the
    chains remember of q they share, and it stays.

    The cost is num_chains (num_adaptation_steps + num_draws num_steps) num_leapfrog_steps gradients
    per image. Grey levels are binarised once, by `seed`, where the model explains binary images.

    Args:
      model: a fitted model that has a `posterior_distribution` over [K].
      data: an array of at least two images, a dictionary of the model's fields, or a pipeline.
      num_images: the first so many images are looked at; all by default.
      num_chains: chains of every image, an even number.
      num_draws: draws of every chain that the mean is taken over.
      num_steps: transitions from draw to draw.
      num_leapfrog_steps: leapfrog steps of a transition.
      num_adaptation_steps: transitions before the first draw.
      threshold: the variance above which a unit is active.
      chunk_size: images at a time.
      seed: int.
      verbose: whether a progress bar is shown.

    Returns:
      The variances of all units by both procedures, and the numbers of those that are active.

    Raises:
      UsageError: for a model without such a posterior, data that it does not take, or an argument
        out of its range.
      FloatingPointError: naming the images whose means are NaN.
    """
    if not defines(model, "posterior_distribution"):
        raise UsageError(f"model must have an encoder's posterior; {model.name!r} has not.")
    check_count(
        num_chains=num_chains,
        num_draws=num_draws,
        num_steps=num_steps,
        num_leapfrog_steps=num_leapfrog_steps,
        num_adaptation_steps=num_adaptation_steps,
        chunk_size=chunk_size,
    )
    check_positive(threshold=threshold)
    if num_chains % 2:
        raise UsageError(
            f"num_chains must be even, as two halves are compared; it was {num_chains}."
        )
    batch = collect_batch(model, data, num_images)
    size = len(batch["x"])
    if size < 2:
        raise UsageError("data must hold at least two images, over which the variance is taken.")
    batch = preprocessed(model, batch, seed)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(batch, index):
        key = samplers.fold_in(seed, "chains", index[0])
        posterior = model.posterior_distribution(batch)

        def hmc(state, step_size, seed, **kwargs):
            return samplers.hmc(
                lambda z: model.log_joint(batch, z),
                state,
                step_size=step_size,
                num_leapfrog_steps=num_leapfrog_steps,
                seed=seed,
                **kwargs,
            )

        tuned = hmc(
            posterior.sample(num_chains, samplers.fold_in(key, "start")),
            0.5 * posterior.stddev(),
            samplers.fold_in(key, "tune"),
            num_steps=num_adaptation_steps,
            num_adaptation_steps=num_adaptation_steps,
        )
        step_size = 0.5 * posterior.stddev() * tuned.step_scale[..., None]

        def add_draw(i, state, total):
            # Trajectories of one length may all come back to where they started (Neal 2011).
            jitter = samplers.uniform(
                step_size.shape[:-1], samplers.fold_in(key, "jitter", i), step_size.dtype
            )
            shorter = step_size * (0.5 + 0.5 * jitter[..., None])
            draw = samplers.fold_in(key, "draw", i)
            state = hmc(state, shorter, draw, num_steps=num_steps).state
            return i + 1, state, total + state

        *_, total = tf.while_loop(
            lambda i, *_: i < num_draws,
            add_draw,
            (0, tuned.state, tf.zeros_like(tuned.state)),
            parallel_iterations=1,
        )
        halves = [tf.reduce_mean(half, 0) / num_draws for half in tf.split(total, 2)]
        return [tf.transpose(mean) for mean in (posterior.mean(), *halves)]

    title = f"Active units: {size} images, {num_chains} chains, {num_draws} draws"
    encoder, *halves = in_chunks(run, (batch, np.arange(size)), chunk_size, title, verbose)
    check_figures("active_units", sum(m.sum(0) for m in (encoder, *halves)), skip_failed=None)
    variances = _covariance(encoder, encoder), _covariance(*halves)
    return ActiveUnits(*variances, *(int((v > threshold).sum()) for v in variances))


def _covariance(one, other):
    """Over images, [K], of means [K, N]."""
    one, other = (means.astype(np.float64) for means in (one, other))
    centred = one - one.mean(1, keepdims=True)
    return (centred * other).sum(1) / (one.shape[1] - 1)
