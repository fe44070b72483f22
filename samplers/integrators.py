"""The steps that chains along a gradient are made of: leapfrog steps and Langevin steps.

Both have one step size s. A Langevin step moves a state to where one leapfrog step of size s moves
it when the momentum is the noise (Neal 2011, "MCMC using Hamiltonian dynamics", section 5.2).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import LogDensity, for_each_part, value_and_gradient, with_shapes_of
from samplers.repeat import repeat


class Point(NamedTuple):
    """A state with its log density and the gradient of it.

    Attributes:
      state: [chains, ...event], or a list of such parts.
      log_density: log density in nats, [chains].
      gradient: its gradient with respect to the state, in the structure of `state`.
    """

    state: tf.Tensor | list[tf.Tensor]
    log_density: tf.Tensor
    gradient: tf.Tensor | list[tf.Tensor]


def point_at(log_density: LogDensity, state: tf.Tensor | list[tf.Tensor]) -> Point:
    """Evaluates a log density and its gradient.

    Args:
      log_density: maps the state to log densities in nats, [chains].
      state: [chains, ...event], or a list of such parts.

    Returns:
      The `Point` at `state`.
    """
    return Point(state, *value_and_gradient(log_density, state))


def leapfrog(
    evaluate: Callable,
    point,
    momentum: tf.Tensor | list[tf.Tensor],
    *,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_steps: int | tf.Tensor,
    gradient: Callable = lambda point: point.gradient,
    max_num_steps: int | None = None,
    recompute: bool = False,
):
    """Integrates Hamiltonian dynamics with unit masses: reversible, and of unit determinant.

    Half a kick p <- p + s / 2 grad log f(z), then `num_steps` drifts z <- z + s p, with a kick
    between any two of them, and half a kick at the end. It costs `num_steps` gradients, since
    that of the start is in `point`; log densities are evaluated at the end only. A tape can record
    it, under XLA if `max_num_steps` or `recompute` is given.

    Args:
      evaluate: maps a state to what is known there, such as `lambda z: point_at(log_density, z)`.
      point: what `evaluate` gives at the start; it has an attribute `state`, [chains, ...event] or
        a list of such parts.
      momentum: p at the start, in the structure of the state.
      step_size: s, which broadcasts against the state; one for each part, or one for all of them.
      num_steps: number of drifts, at least 1.
      gradient: maps such a point to the gradient of log f, in the structure of the state.
      max_num_steps: as `repeat`.
      recompute: as `repeat`; then gradients reach the point, the momentum and the step size, and
        variables, but no tensor that `evaluate` has from elsewhere.

    Returns:
      The point at the end, and the momentum there.
    """
    step_size = for_each_part(step_size, point.state)

    def kick(momentum, point, fraction, step_size=step_size):
        return tf.nest.map_structure(
            lambda p, s, g: p + fraction * s * g, momentum, step_size, gradient(point)
        )

    def drift(state, momentum, step_size=step_size):
        return tf.nest.map_structure(lambda z, s, p: z + s * p, state, step_size, momentum)

    def step(_, moving, step_size):
        state, momentum = moving
        moved = evaluate(drift(state, momentum, step_size))
        return moved.state, kick(momentum, moved, 1.0, step_size)

    state, momentum = repeat(
        step,
        (point.state, kick(momentum, point, 0.5)),
        num_steps - 1,
        context=tf.nest.map_structure(
            lambda z, s: tf.convert_to_tensor(s, dtype_hint=z.dtype), point.state, step_size
        ),
        max_num_steps=max_num_steps,
        recompute=recompute,
    )
    point = with_shapes_of(evaluate(drift(state, momentum)), point)
    return point, kick(momentum, point, 0.5)


def langevin_step(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    step_size: float | tf.Tensor,
    noise: tf.Tensor | list[tf.Tensor],
) -> tf.Tensor | list[tf.Tensor]:
    """Takes one step z + s^2 / 2 grad log f(z) + s n.

    Args:
      log_density: log f, maps the state to log densities in nats, [chains].
      state: z, [chains, ...event], or a list of such parts.
      step_size: s, a number; it is the standard deviation of the step's noise.
      noise: n, standard normal numbers in the structure of `state`.

    Returns:
      The next state.
    """
    _, gradient = value_and_gradient(log_density, state)
    return tf.nest.map_structure(
        lambda z, g, n: z + step_size**2 / 2 * g + step_size * n, state, gradient, noise
    )


_TO_NOISE_SCALE = {
    "noise": lambda value: value,
    "drift": lambda value: (2 * value) ** 0.5,
    "tfp": lambda value: value**0.5,
}


def langevin_step_size(value: float | tf.Tensor, convention: str) -> float | tf.Tensor:
    """Converts a step size that is written in another convention to s of `langevin_step`.

    Args:
      value: the size of a step, or of every step, as the source gives it.
      convention: which update the source means by it, with g the gradient and n ~ N(0, I):
        "noise", z + s^2 / 2 g + s n (ours, and the reference code of Nijkamp et al. 2020);
        "drift", z + h g + sqrt(2 h) n (Nijkamp et al. 2020, eq. 9);
        "tfp", z + h / 2 g + sqrt(h) n (the Langevin kernels of TensorFlow Probability).

    Returns:
      The step size s, of the type and shape of `value`.

    Raises:
      ValueError: if `convention` is none of these.
    """
    if convention not in _TO_NOISE_SCALE:
        known = ", ".join(map(repr, _TO_NOISE_SCALE))
        raise ValueError(f"convention must be one of {known}; it was {convention!r}.")
    return _TO_NOISE_SCALE[convention](value)


def step_size_at(step_size: tf.Tensor, i: int | tf.Tensor) -> tf.Tensor:
    """Picks the size of one step.

    Args:
      step_size: a number that serves all steps, or one for each of them, [num_steps].
      i: which step, from 0; steps beyond the last size take that.

    Returns:
      The size of step `i`, a number.
    """
    if step_size.shape.rank == 0:
        return step_size
    return step_size[tf.minimum(i, tf.shape(step_size)[0] - 1)]
