"""The unadjusted Langevin algorithm, in one loop that evaluates nothing but gradients."""

from collections.abc import Callable

import tensorflow as tf

from samplers.agreement import add_to_halves, no_halves
from samplers.density import LogDensity
from samplers.integrators import langevin_step, step_size_at
from samplers.random import Seed, fold_in, noise_like


def langevin(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor,
    show: Callable | None = None,
    seed: Seed,
) -> tf.Tensor | list[tf.Tensor] | tuple:
    """Runs `num_steps` of z <- z + s^2 / 2 grad log f(z) + s n with n ~ N(0, I).

    `step_size` is s, the standard deviation of the noise (`langevin_step_size` converts others):
    one step is an HMC transition of one leapfrog step of the same size, never rejected.
    The chain's stationary law is close to f, not f: on N(0, v) its variance is v / (1 - s^2/(4v)).

    Args:
      log_density: maps the state to log densities in nats, shape [chains].
      state: where the chains start: [chains, ...event], or a list of such parts.
      num_steps: number of steps; each costs one gradient.
      step_size: s, a scalar, or a vector of one size for every step: [num_steps]. Steps beyond
        its end take its last entry.
      show: maps a state to tensors [chains, ...], by which `split_r_hat` tells whether chains
        agree.
      seed: int or int32[2].

    Returns:
      The last state, as `state` was given; and, if something is shown, its moments of both halves.
    """
    step_size = tf.convert_to_tensor(step_size, tf.nest.flatten(state)[0].dtype)

    def noise_of(i, state):
        return noise_like(state, fold_in(seed, i))

    # Noise is drawn one step ahead: drawn where it is used, XLA would compute it in one loop with
    # the gradient's last operation, which need not be one that runs in vectors.
    def step(i, noise, state, halves):
        state = langevin_step(log_density, state, step_size_at(step_size, i), noise)
        if show is not None:
            halves = add_to_halves(halves, show(state), i, num_steps)
        return i + 1, noise_of(i + 1, state), state, halves

    halves = () if show is None else no_halves(show(state))
    start = (0, noise_of(0, state), state, halves)
    *_, state, halves = tf.while_loop(
        lambda i, *_: i < num_steps, step, start, parallel_iterations=1
    )
    return state if show is None else (state, halves)
