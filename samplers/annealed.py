"""Annealed importance sampling (Neal 2001), with Hamiltonian Monte Carlo or any other moves.

TFP's `sample_annealed_importance_chain` is not used because it is biased: it accepts a move at one
temperature by the density and gradient that were cached at the previous one. Here a point carries
the log densities of both ends of the path, and both gradients, apart. Their combination at any
temperature is exact and costs nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import (
    LogDensity,
    event_sum,
    for_each_part,
    per_chain,
    value_and_gradient,
    with_shapes_of,
)
from samplers.hmc import energy_error
from samplers.random import Seed, fold_in, normal_like, uniform


class Point(NamedTuple):
    """A state with log density and gradient of both ends of the annealing path."""

    state: tf.Tensor | list[tf.Tensor]
    log_initial: tf.Tensor
    log_final: tf.Tensor
    grad_initial: tf.Tensor | list[tf.Tensor]
    grad_final: tf.Tensor | list[tf.Tensor]

    def log_density(self, beta: tf.Tensor) -> tf.Tensor:
        """(1 - beta) log f_0 + beta log f_1, per chain."""
        return (1 - beta) * self.log_initial + beta * self.log_final

    def gradient(self, beta: tf.Tensor):
        """Gradient of `log_density(beta)` with respect to the state."""
        return tf.nest.map_structure(
            lambda g0, g1: (1 - beta) * g0 + beta * g1, self.grad_initial, self.grad_final
        )


class AISResult(NamedTuple):
    """The end of a run of annealed importance sampling.

    Attributes:
      end: the last state of every chain, with log density and gradient of both ends of the path.
      log_weights: log importance weight of every chain in nats, float64, shape [chains];
        E[exp(log_weights)] is the ratio of the normalisers of the two ends.
      accept_prob: acceptance probability of every move, averaged over the first axis of the
        chains: [moves, 1, ...].
      energy_error: abs(log acceptance ratio) of every move in nats, which of a Hamiltonian one is
        abs(H_1 - H_0), 1000 at most; averaged likewise.
      step_size: the step sizes of every move, shape [moves, ...]: those given, or those tuned.
    """

    end: Point
    log_weights: tf.Tensor
    accept_prob: tf.Tensor
    energy_error: tf.Tensor
    step_size: tf.Tensor

    @property
    def state(self) -> tf.Tensor | list[tf.Tensor]:
        """The last state, a tensor or a list of tensors, as it was given."""
        return self.end.state


# A reversible move: (evaluate, point, beta, step_size, seed) -> (point, log acceptance ratio of
# every chain in nats). It must leave exp(point.log_density(beta)) invariant; `evaluate` maps a
# state to a `Point`. The step size broadcasts against the chains.
Move = Callable[..., tuple[Point, tf.Tensor]]


def annealed_importance_sampling(
    initial_log_density: LogDensity,
    final_log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    schedule: tf.Tensor,
    *,
    move: Move,
    step_size: float | tf.Tensor,
    last_move: bool = True,
    tuning_rate: float = 0.0,
    target_accept: float = 0.65,
    seed: Seed,
) -> AISResult:
    """Anneals chains from one density to another and weighs them.

    For t = 1 ... T: first log w += (b_t - b_{t-1}) (log f_1(z) - log f_0(z)), then z makes one move
    that leaves f_0^(1 - b_t) f_1^(b_t) invariant. A schedule that falls from 1 to 0, with `state`
    drawn from f_1, is the reverse run of bidirectional Monte Carlo (Grosse, Ghahramani and Adams
    2015). With Hamiltonian moves the cost is one gradient of each density per leapfrog step, and
    one for the first.

    Weights are unbiased only if the step sizes do not depend on the chains of this very run. So
    tune them in a pilot run (`tuning_rate` > 0, its weights thrown away), and pass the pilot's
    `step_size` to a run with another seed.

    Args:
      initial_log_density: log f_0, from [chains, ...event] to nats per chain [chains].
      final_log_density: log f_1, likewise.
      state: exact draws of the density at `schedule[0]`: a tensor, or a list of parts.
      schedule: inverse temperatures b_0, ..., b_T, shape [T + 1], with T known when traced.
      move: one transition, such as `hamiltonian_move(...)`.
      step_size: one for all moves, or [moves], or [moves, 1, ...] with the rest broadcasting
        against the chains' other axes.
      last_move: whether z moves once more after its last weight, so that there are T moves, or
        T - 1. The weights do not depend on it.
      tuning_rate: after each move the step sizes of all later ones are multiplied by
        exp(tuning_rate (a - target_accept)), a the acceptance probability averaged over the first
        axis of the chains.
      target_accept: the acceptance probability that tuning aims at.
      seed: int or int32[2].
    """
    num_increments = schedule.shape[0] - 1
    num_moves = num_increments if last_move else num_increments - 1
    increments = tf.cast(schedule[1:] - schedule[:-1], tf.float64)
    point = evaluate(initial_log_density, final_log_density, state)
    one = tf.ones_like(point.log_final)
    step_size = tf.cast(step_size, one.dtype)
    if step_size.shape.rank and step_size.shape[0] not in (None, num_moves):
        raise ValueError(
            f"step_size must be one number or have one for each of {num_moves} moves; "
            f"its shape was {step_size.shape}."
        )
    if step_size.shape.rank == 0:
        step_size = tf.fill([num_moves], step_size)

    def weighed(log_weights, t, point):
        difference = tf.cast(point.log_final - point.log_initial, tf.float64)
        return log_weights + increments[t] * difference

    def mean(value):
        return tf.reduce_mean(value, axis=0, keepdims=True)

    def step(t, point, log_weights, correction, accepted, errors, tuned):
        log_weights = weighed(log_weights, t, point)
        eps = step_size[t] * correction
        point, log_accept_ratio = move(
            lambda z: evaluate(initial_log_density, final_log_density, z),
            point,
            tf.cast(schedule[t + 1], one.dtype),
            eps,
            fold_in(seed, t),
        )
        accept_prob = mean(tf.exp(tf.minimum(log_accept_ratio, 0.0)))
        correction *= tf.exp(tuning_rate * (accept_prob - target_accept))
        accepted, tuned = accepted.write(t, accept_prob), tuned.write(t, eps)
        errors = errors.write(t, mean(energy_error(log_accept_ratio)))
        return t + 1, point, log_weights, correction, accepted, errors, tuned

    log_weights = tf.zeros_like(one, tf.float64)
    moves = [tf.zeros(tf.concat([[0], tf.shape(one[:1])], 0), one.dtype)] * 3
    if num_moves:
        arrays = (
            tf.TensorArray(one.dtype, num_moves, element_shape=one[:1].shape) for _ in range(3)
        )
        _, point, log_weights, _, *arrays = tf.while_loop(
            lambda t, *_: t < num_moves,
            step,
            (0, point, log_weights, one[:1], *arrays),
            parallel_iterations=1,
        )
        moves = [array.stack() for array in arrays]
    if not last_move:
        log_weights = weighed(log_weights, num_moves, point)
    return AISResult(point, log_weights, *moves)


def evaluate(initial_log_density: LogDensity, final_log_density: LogDensity, state) -> Point:
    """Both log densities and their gradients at a state."""
    log_initial, grad_initial = value_and_gradient(initial_log_density, state)
    log_final, grad_final = value_and_gradient(final_log_density, state)
    return Point(state, log_initial, log_final, grad_initial, grad_final)


def hamiltonian_move(
    num_leapfrog_steps: int | tf.Tensor,
    *,
    scale: float | tf.Tensor | list[tf.Tensor] = 1.0,
    jitter: float = 0.0,
) -> Move:
    """A move by Hamiltonian Monte Carlo (Neal 2011), of `num_leapfrog_steps` gradients.

    Args:
      num_leapfrog_steps: leapfrog steps in a move.
      scale: factor on the step size per dimension, broadcasting against the state (or its parts).
      jitter: every move of every chain multiplies its step size by a random number in
        [1 - jitter, 1 + jitter): where the density is nearly Gaussian, trajectories of one length
        all come back to where they started (Neal 2011, section 5.4.2.2).
    """

    def move(evaluate, point, beta, step_size, seed):
        if jitter:
            noise = uniform(tf.shape(point.log_final), fold_in(seed, "jitter"), beta.dtype)
            step_size = step_size * (1 - jitter + 2 * jitter * noise)
        steps = tf.nest.map_structure(
            lambda z, s: per_chain(step_size, z) * s, point.state, for_each_part(scale, point.state)
        )
        return _transition(evaluate, point, beta, steps, num_leapfrog_steps, seed)

    return move


def _transition(evaluate, point: Point, beta, step_size, num_leapfrog_steps, seed):
    """One HMC transition at inverse temperature `beta`; also its log acceptance ratio."""
    num_chain_axes = point.log_final.shape.rank
    momentum = normal_like(point.state, fold_in(seed, "momentum"))

    def energy(point, momentum):
        squares = tf.nest.map_structure(tf.square, momentum)
        return event_sum(squares, num_chain_axes) / 2 - point.log_density(beta)

    proposal, final_momentum = _leapfrog(
        evaluate, point, momentum, beta, step_size, num_leapfrog_steps
    )
    log_ratio = energy(point, momentum) - energy(proposal, final_momentum)
    # Not a number means that the integrator diverged: reject.
    log_ratio = tf.where(tf.math.is_finite(log_ratio), log_ratio, -float("inf"))
    noise = uniform(tf.shape(log_ratio), fold_in(seed, "accept"), log_ratio.dtype)
    accepted = noise < tf.exp(tf.minimum(log_ratio, 0.0))
    chosen = tf.nest.map_structure(
        lambda new, old: tf.where(per_chain(accepted, new), new, old), proposal, point
    )
    return with_shapes_of(chosen, point), log_ratio


def _leapfrog(evaluate, point: Point, momentum, beta, step_size, num_leapfrog_steps):
    """Leapfrog integration: reversible, and of unit determinant in (state, momentum)."""

    def kick(momentum, point, fraction):
        return tf.nest.map_structure(
            lambda p, eps, g: p + fraction * eps * g, momentum, step_size, point.gradient(beta)
        )

    def drift(point, momentum):
        return tf.nest.map_structure(
            lambda z, eps, p: z + eps * p, point.state, step_size, momentum
        )

    def step(i, point, momentum):
        moved = evaluate(drift(point, momentum))
        # Log densities are asked for at the end of the trajectory only: none is computed here.
        moved = moved._replace(log_initial=point.log_initial, log_final=point.log_final)
        return i + 1, with_shapes_of(moved, point), kick(momentum, moved, 1.0)

    _, point, momentum = tf.while_loop(
        lambda i, *_: i < num_leapfrog_steps - 1,
        step,
        (0, point, kick(momentum, point, 0.5)),
        parallel_iterations=1,
    )
    point = with_shapes_of(evaluate(drift(point, momentum)), point)
    return point, kick(momentum, point, 0.5)
