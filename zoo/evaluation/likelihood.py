"""log p(x): annealed importance sampling, bidirectional Monte Carlo, importance-weighted bounds."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.checks import check_choice, check_count
from zoo.evaluation.chunks import collect, in_chunks

SCHEDULES = {"linear": samplers.linear_schedule, "sigmoid": samplers.sigmoid_schedule}
STARTS = ("prior", "posterior")


class LogLikelihood(NamedTuple):
    """An estimate of the mean log p(x), in nats.

    Attributes:
      mean: over images.
      stderr: standard error of `mean` over images, as if the estimates were exact.
      chain_stderr: Monte Carlo standard error of `mean` over chains.
      per_image: [N], for comparisons paired by image.
      accept_rate: mean acceptance probability of the annealed chains.
      protocol: what was run.
    """

    mean: float
    stderr: float
    chain_stderr: float
    per_image: np.ndarray
    accept_rate: float
    protocol: str


class BDMC(NamedTuple):
    """Bounds on the mean log p(x) of simulated images, in nats; between them lies the truth.

    Attributes:
      lower: mean over images of the forward estimates, which are too low on average.
      upper: mean of the reverse estimates, which are too high on average.
      gap: upper - lower, which bounds the error of both.
      gap_stderr: its standard error over images.
      protocol: what was run.
    """

    lower: float
    upper: float
    gap: float
    gap_stderr: float
    protocol: str


def log_likelihood(
    model,
    data,
    *,
    num_images: int | None = None,
    num_chains: int = 16,
    num_increments: int = 200,
    num_leapfrog_steps: int = 5,
    start: str = "posterior",
    schedule: str = "sigmoid",
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> LogLikelihood:
    """Estimates log p(x) by annealed importance sampling (Neal 2001; Wu et al. 2017).

    The chains of an image anneal from the prior, or from the model's posterior, to p(x, z). Their
    step sizes are tuned in a pilot run of other chains and then frozen. Grey levels are binarised
    once, by `seed`, where the model explains binary images. With the pilot run the cost is
    2 num_chains num_increments num_leapfrog_steps gradients per image.

    Args:
      model: a fitted latent-variable model.
      data: an array or a pipeline of images.
      num_images: the first so many images; all by default.
      num_chains: S, over whose weights the mean is taken.
      num_increments: T, steps between temperatures.
      num_leapfrog_steps: of the move at each temperature.
      start: "posterior" or "prior".
      schedule: "sigmoid" or "linear".
      chunk_size: images at a time.
      seed: int.
      verbose: whether to show a progress bar.

    Raises:
      UsageError: for data that the model does not take, or an argument out of its range.
    """
    x = collect(model, data, num_images)
    anneal, protocol = _annealing(
        num_chains, num_increments, num_leapfrog_steps, start, schedule, chunk_size
    )
    x = model.observe(tf.constant(x), samplers.fold_in(seed, "observe")).numpy()

    @tf.function(jit_compile=model.compile_chains)
    def run(x, index):
        forward, _ = anneal(model, x, samplers.fold_in(seed, "anneal", index[0]))
        return forward.log_weights, forward.accept_prob

    title = f"AIS: {len(x)} images, {protocol}"
    log_weights, accept_prob = in_chunks(run, (x, np.arange(len(x))), chunk_size, title, verbose)
    per_image = _log_mean_exp(log_weights)
    # Delta method: the relative error of the mean weight is the error of its logarithm.
    weights = np.exp(log_weights - log_weights.max(axis=0))
    relative = weights.std(axis=0) / weights.mean(axis=0) / math.sqrt(max(num_chains - 1, 1))
    chain_stderr = float(np.sqrt((relative**2).sum()) / len(x)) if num_chains > 1 else math.nan
    return LogLikelihood(
        mean=float(per_image.mean()),
        stderr=_stderr(per_image),
        chain_stderr=chain_stderr,
        per_image=per_image,
        accept_rate=float(accept_prob.mean()),
        protocol=protocol,
    )


def bidirectional(
    model,
    *,
    num_images: int = 100,
    num_chains: int = 16,
    num_increments: int = 200,
    num_leapfrog_steps: int = 5,
    start: str = "posterior",
    schedule: str = "sigmoid",
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> BDMC:
    """Brackets log p(x) on images simulated from the model (Grosse, Ghahramani and Adams 2015).

    z* ~ p(z), x ~ p(x given z*): z* is an exact draw of p(z given x). Annealing forward to p(x, z)
    bounds log p(x) from below, annealing back from z* bounds it from above, in expectation. The
    gap tells how far estimates with the same protocol are off, on images like those simulated.

    Args: as `log_likelihood`; `num_images` is the number of simulated images.
    """
    check_count(num_images=num_images)
    anneal, protocol = _annealing(
        num_chains, num_increments, num_leapfrog_steps, start, schedule, chunk_size
    )

    @tf.function(jit_compile=model.compile_chains)
    def simulate():
        z = model.prior.sample([1, num_images], samplers.fold_in(seed, "simulate z"))
        return z[0], model.likelihood(z).sample(seed=samplers.fold_in(seed, "simulate x"))[0]

    @tf.function(jit_compile=model.compile_chains)
    def run(z, x, index):
        key = samplers.fold_in(seed, "anneal", index[0])
        forward, backward = anneal(model, x, key, exact=z)
        return forward.log_weights, backward.log_weights

    z, x = (t.numpy() for t in simulate())
    title = f"BDMC: {num_images} simulated images, {protocol}"
    forward, backward = in_chunks(run, (z, x, np.arange(num_images)), chunk_size, title, verbose)
    lower, upper = _log_mean_exp(forward), -_log_mean_exp(backward)
    return BDMC(
        lower=float(lower.mean()),
        upper=float(upper.mean()),
        gap=float((upper - lower).mean()),
        gap_stderr=_stderr(upper - lower),
        protocol=protocol,
    )


def importance_weighted_bound(
    model,
    data,
    *,
    num_samples: int = 1,
    num_images: int | None = None,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = False,
) -> LogLikelihood:
    """The bound log mean exp of `num_samples` of the model's own log weights (Burda et al. 2016).

    With one sample it is the bound that variational training climbs. Arguments and results are
    those of `log_likelihood`; there are no chains, so `accept_rate` is NaN.
    """
    check_count(num_samples=num_samples, chunk_size=chunk_size)
    x = collect(model, data, num_images)
    x = model.observe(tf.constant(x), samplers.fold_in(seed, "observe")).numpy()

    @tf.function(jit_compile=model.compile_chains)
    def run(x, index):
        log_weights = model.log_weights(x, num_samples, samplers.fold_in(seed, index[0]))
        return tf.cast(log_weights, tf.float64)

    title = f"Importance-weighted bound: {len(x)} images, {num_samples} samples"
    log_weights = in_chunks(run, (x, np.arange(len(x))), chunk_size, title, verbose)
    per_image = _log_mean_exp(log_weights)
    return LogLikelihood(
        mean=float(per_image.mean()),
        stderr=_stderr(per_image),
        chain_stderr=math.nan,
        per_image=per_image,
        accept_rate=math.nan,
        protocol=f"{num_samples} samples of the model's proposal",
    )


def _annealing(num_chains, num_increments, num_leapfrog_steps, start, schedule, chunk_size):
    """A checked protocol: a function that anneals for images, and its description."""
    check_count(
        num_chains=num_chains,
        num_increments=num_increments,
        num_leapfrog_steps=num_leapfrog_steps,
        chunk_size=chunk_size,
    )
    check_choice("start", start, STARTS)
    betas = SCHEDULES[check_choice("schedule", schedule, SCHEDULES)](num_increments)

    def anneal(model, x, seed, exact=None):
        if start == "posterior":
            initial = model.posterior(x)
        else:
            initial = tfp.distributions.BatchBroadcast(model.prior, [tf.shape(x)[0]])
        options = {"num_leapfrog_steps": num_leapfrog_steps, "scale": initial.stddev()}

        def run(state, betas, step_size, role, **kwargs):
            return samplers.annealed_importance_sampling(
                initial.log_prob,
                lambda z: model.log_joint(x, z),
                state,
                betas,
                step_size=step_size,
                seed=samplers.fold_in(seed, role),
                **options,
                **kwargs,
            )

        def draws(role):
            return initial.sample(num_chains, samplers.fold_in(seed, role))

        pilot = run(draws("pilot"), betas, 0.5, "pilot moves", tuning_rate=0.1)
        step_size = pilot.step_size
        forward = run(draws("start"), betas, step_size, "moves")
        if exact is None:
            return forward, None
        # The reverse run makes the moves of the same temperatures, and one more at 0, last.
        reverse = tf.concat([step_size[::-1][1:], step_size[:1]], 0)
        state = tf.repeat(exact[None], num_chains, axis=0)
        return forward, run(state, betas[::-1], reverse, "reverse moves")

    protocol = (
        f"{num_chains} chains, {num_increments} {schedule} increments from the {start}, "
        f"{num_leapfrog_steps} leapfrog steps"
    )
    return anneal, protocol


def _log_mean_exp(log_weights: np.ndarray) -> np.ndarray:
    top = log_weights.max(axis=0)
    return top + np.log(np.exp(log_weights - top).mean(axis=0))


def _stderr(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
