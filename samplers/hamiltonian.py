"""One transition of Hamiltonian Monte Carlo: noise, a trajectory, and a choice for every chain.

Neal 2011, "MCMC using Hamiltonian dynamics". Noise is apart from what is done with it, so that a
chain can draw it one transition ahead: drawn where it is used, XLA would compute it in one loop
with the gradient's last operation, which need not be one that runs in vectors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from samplers.density import event_sum, for_each_part, per_chain
from samplers.integrators import leapfrog
from samplers.kernels import TransitionInfo, accept_or_reject
from samplers.random import Seed, fast_uniform, fold_in, noise_like


class HMCNoise(NamedTuple):
    """All that is random in one transition.

    Attributes:
      momentum: standard normal numbers in the structure of the state.
      jitter: of the step sizes, uniform numbers in [0, 1), [chains].
      choice: between the start and the end, uniform numbers in [0, 1), [chains].
    """

    momentum: tf.Tensor | list[tf.Tensor]
    jitter: tf.Tensor
    choice: tf.Tensor


def hmc_noise(state: tf.Tensor | list[tf.Tensor], log_density: tf.Tensor, seed: Seed) -> HMCNoise:
    """Draws what one transition needs.

    Args:
      state: where the chains are, of which shapes and types are looked at alone.
      log_density: of the chains, likewise, [chains].
      seed: int or int32[2].

    Returns:
      The noise.
    """
    shape = tf.shape(log_density)
    jitter, choice = (
        fast_uniform(shape, fold_in(seed, role), log_density.dtype) for role in ("jitter", "accept")
    )
    return HMCNoise(noise_like(state, fold_in(seed, "momentum")), jitter, choice)


def hamiltonian_transition(
    evaluate: Callable,
    point,
    noise: HMCNoise,
    *,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
    jitter: float = 0.0,
    log_density: Callable = lambda point: point.log_density,
    gradient: Callable = lambda point: point.gradient,
) -> tuple[Any, TransitionInfo]:
    """Takes one transition: a trajectory from the momentum p ~ N(0, I), accepted chain by chain.

    It costs `num_leapfrog_steps` gradients, and one log density, at the trajectory's end.

    Args:
      evaluate: maps a state to what is known there, such as `lambda z: point_at(log_density, z)`.
      point: what `evaluate` gives where the chains are.
      noise: of this transition.
      step_size: broadcasts against the state; one per part, or one for all of them.
      num_leapfrog_steps: leapfrog steps of the trajectory.
      jitter: every chain multiplies its step size by a random number in [1 - jitter, 1 + jitter):
        where the density is nearly Gaussian, trajectories of one length all come back to where
        they started (Neal 2011, section 5.4.2.2).
      log_density: maps such a point to log f in nats, [chains].
      gradient: maps such a point to the gradient of log f, in the structure of the state.

    Returns:
      The point where the chains are now, and how the transition went.
    """
    num_chain_axes = noise.choice.shape.rank
    step_size = for_each_part(step_size, point.state)
    if jitter:
        factor = 1 - jitter + 2 * jitter * noise.jitter
        step_size = tf.nest.map_structure(
            lambda z, s: per_chain(factor, z) * s, point.state, step_size
        )

    def energy(point, momentum):
        squares = tf.nest.map_structure(tf.square, momentum)
        return event_sum(squares, num_chain_axes) / 2 - log_density(point)

    proposal, end = leapfrog(
        evaluate,
        point,
        noise.momentum,
        step_size=step_size,
        num_steps=num_leapfrog_steps,
        gradient=gradient,
    )
    log_accept_ratio = energy(point, noise.momentum) - energy(proposal, end)
    return accept_or_reject(point, proposal, log_accept_ratio, noise.choice)
