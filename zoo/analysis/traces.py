"""Every state of chains on p(z given x), for those who look at chains with ArviZ."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.batches import checked_batch
from zoo.core.checks import UsageError, check_count
from zoo.core.compiled import compiled_method
from zoo.core.latent import FIRST_STEP_SIZE, TRAJECTORIES, LatentVariableModel
from zoo.core.seeds import resolved


class Trace(NamedTuple):
    """What chains of Hamiltonian Monte Carlo went through.

    Attributes:
      z: their states, [num_chains, num_steps, B, ...].
      log_joint: log p(x, z), or of the visible pixels, nats, [num_chains, num_steps, B].
      accept_prob: of each transition, and so the others.
      energy_error: in nats.
      is_divergent: whether it diverged.
    """

    z: np.ndarray
    log_joint: np.ndarray
    accept_prob: np.ndarray
    energy_error: np.ndarray
    is_divergent: np.ndarray


def trace(
    model: LatentVariableModel,
    x,
    visible=None,
    *,
    num_chains: int = 4,
    num_steps: int = 500,
    num_warmup: int = 200,
    seed: Seed | None = None,
) -> Trace:
    """Runs the chains by which a model completes images, and keeps every state.

    They start at draws of the prior; within the warm-up, which is not kept, each finds its step
    size. All states lie in memory, num_chains * num_steps of each image.

    Args:
      model: one whose latents are continuous.
      x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
      visible: the pixels that z is given, as `inpaint` takes them; None for all.
      num_chains: of each image, independent.
      num_steps: transitions that are kept.
      num_warmup: transitions before them.
      seed: as `sample`: None draws anew.

    Returns:
      The trace.

    Raises:
      UsageError: for a model whose latents Hamiltonian Monte Carlo cannot move, or for what its
        fields refuse.
    """
    check_count(num_chains=num_chains, num_steps=num_steps, num_warmup=num_warmup)
    if not getattr(model, "can_be_annealed", False):
        raise UsageError(f"model: {model.name!r} has no continuous latents with a density.")
    batch = checked_batch(x, model.inference_fields)
    if visible is not None:
        visible = tf.constant(model.visible_field.check("visible", visible, len(batch["x"])))
    counts = num_chains, tf.constant(num_steps), tf.constant(num_warmup)
    told = _trace(model, batch, visible, *counts, resolved(seed))
    return Trace(*(np.swapaxes(part.numpy(), 0, 1) for part in told))


@compiled_method
def _trace(model, batch, visible, num_chains, num_steps, num_warmup, seed):
    """The parts of a `Trace`, the steps first."""
    batch = model.preprocess(batch, samplers.fold_in(seed, "observe"))
    start = model.start_from_the_prior(batch, num_chains, seed, visible).state

    def log_joint(z):
        return model.log_joint(batch, z, visible)

    warm = samplers.hmc(
        log_joint,
        start,
        num_steps=num_warmup,
        step_size=FIRST_STEP_SIZE,
        num_adaptation_steps=num_warmup,
        seed=samplers.fold_in(seed, "warmup"),
        **TRAJECTORIES,
    )
    step_size = FIRST_STEP_SIZE * warm.step_scale[..., None]

    def transition(now, i):
        key = samplers.fold_in(seed, "transition", i)
        return samplers.hmc_kernel(log_joint, now[0], step_size=step_size, seed=key, **TRAJECTORIES)

    first = samplers.point_at(log_joint, warm.state)
    nothing = tf.zeros_like(first.log_density)
    info = samplers.TransitionInfo(nothing, nothing, tf.cast(nothing, tf.bool))
    points, infos = tf.scan(transition, tf.range(num_steps), (first, info))
    return points.state, points.log_density, *infos


def to_arviz(trace: Trace) -> Any:
    """Gives a trace to ArviZ, which draws it and tells R-hat and effective sample sizes.

    Args:
      trace: as `zoo.trace` makes it.

    Returns:
      An `arviz.InferenceData` with `z` [chain, draw, example, latent] in its posterior, and in
      `sample_stats` `lp`, `acceptance_rate`, `energy_error` and `diverging`.

    Raises:
      UsageError: if ArviZ is not installed.
    """
    try:
        import arviz
    except ImportError:
        raise UsageError("to_arviz needs arviz; pip install 'mcmc-zoo[arviz]'.") from None
    flat = trace.z.reshape(*trace.z.shape[:3], -1)
    return arviz.from_dict(
        posterior={"z": flat},
        sample_stats={
            "lp": trace.log_joint,
            "acceptance_rate": trace.accept_prob,
            "energy_error": trace.energy_error,
            "diverging": trace.is_divergent,
        },
        dims={"z": ["example", "latent"]}
        | dict.fromkeys(("lp", "acceptance_rate", "energy_error", "diverging"), ["example"]),
    )
