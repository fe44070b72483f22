"""The unadjusted Langevin algorithm, in one loop that evaluates nothing but gradients."""

import tensorflow as tf

from samplers.density import LogDensity, value_and_gradient
from samplers.random import Seed, fold_in, noise_like

_TO_NOISE_SCALE = {
    "noise": lambda value: value,
    "drift": lambda value: (2 * value) ** 0.5,
    "tfp": lambda value: value**0.5,
}


def langevin_step_size(value: float | tf.Tensor, convention: str) -> float | tf.Tensor:
    """The step size s of `langevin`, from one that is written in another convention.

    Args:
      value: the size of a step, or of every step, as the source gives it.
      convention: which update the source means by it, with g the gradient and n ~ N(0, I):
        "noise", z + s^2 / 2 g + s n (ours, and the reference code of Nijkamp et al. 2020);
        "drift", z + h g + sqrt(2 h) n (Nijkamp et al. 2020, eq. 9);
        "tfp", z + h / 2 g + sqrt(h) n (the Langevin kernels of TensorFlow Probability).

    Raises:
      ValueError: if `convention` is none of these.
    """
    if convention not in _TO_NOISE_SCALE:
        known = ", ".join(map(repr, _TO_NOISE_SCALE))
        raise ValueError(f"convention must be one of {known}; it was {convention!r}.")
    return _TO_NOISE_SCALE[convention](value)


def step_size_at(step_size: tf.Tensor, i: int | tf.Tensor) -> tf.Tensor:
    """The size of step `i`: a scalar serves all steps, a vector's last entry those beyond it."""
    if step_size.shape.rank == 0:
        return step_size
    return step_size[tf.minimum(i, tf.shape(step_size)[0] - 1)]


def langevin_step(log_density: LogDensity, state, step_size: tf.Tensor, noise):
    """One update z + s^2 / 2 grad log f(z) + s n, with `noise` n in the structure of `state`."""
    _, gradient = value_and_gradient(log_density, state)
    return tf.nest.map_structure(
        lambda z, g, n: z + step_size**2 / 2 * g + step_size * n, state, gradient, noise
    )


def langevin(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor,
    seed: Seed,
) -> tf.Tensor | list[tf.Tensor]:
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
      seed: int or int32[2].

    Returns:
      The last state, as `state` was given.
    """
    step_size = tf.convert_to_tensor(step_size, tf.nest.flatten(state)[0].dtype)

    def noise_of(i, state):
        return noise_like(state, fold_in(seed, i))

    # Noise is drawn one step ahead: drawn where it is used, XLA would compute it in one loop with
    # the gradient's last operation, which need not be one that runs in vectors.
    def step(i, noise, state):
        state = langevin_step(log_density, state, step_size_at(step_size, i), noise)
        return i + 1, noise_of(i + 1, state), state

    start = (0, noise_of(0, state), state)
    *_, state = tf.while_loop(lambda i, *_: i < num_steps, step, start, parallel_iterations=1)
    return state
