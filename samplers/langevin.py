"""The unadjusted Langevin algorithm, in one loop that evaluates nothing but gradients."""

import tensorflow as tf

from samplers.density import LogDensity, value_and_gradient
from samplers.random import Seed, fold_in, normal_like


def langevin(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor,
    seed: Seed,
) -> tf.Tensor | list[tf.Tensor]:
    """Runs `num_steps` of z <- z + s^2 / 2 grad log f(z) + s n with n ~ N(0, I).

    `step_size` is s, the standard deviation of the noise: one step is an HMC transition of one
    leapfrog step of the same size, never rejected; TFP's Langevin kernels call s^2 the step size.
    The chain's stationary law is close to f, not f: on N(0, v) its variance is v / (1 - s^2/(4v)).

    Args:
      log_density: maps the state to log densities in nats, shape [chains].
      state: where the chains start: [chains, ...event], or a list of such parts.
      num_steps: number of steps; each costs one gradient.
      step_size: s; broadcasts against every part of the state.
      seed: int or int32[2].

    Returns:
      The last state, as `state` was given.
    """

    def step(i, state):
        _, gradient = value_and_gradient(log_density, state)
        noise = normal_like(state, fold_in(seed, i))
        return i + 1, tf.nest.map_structure(
            lambda z, g, n: z + step_size**2 / 2 * g + step_size * n, state, gradient, noise
        )

    _, state = tf.while_loop(lambda i, _: i < num_steps, step, (0, state), parallel_iterations=1)
    return state
