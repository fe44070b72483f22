"""Annealed importance sampling (Neal 2001), with Hamiltonian Monte Carlo or any other moves.

TFP's `sample_annealed_importance_chain` is not used because it is biased: it accepts a move at one
temperature by the density and gradient that were cached at the previous one. Here a point carries
the log densities of both ends of the path, and both gradients, apart. Their combination at any
temperature is exact and costs nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import LogDensity, for_each_part, per_chain, value_and_gradient
from samplers.hamiltonian import hamiltonian_transition, hmc_noise
from samplers.kernels import TransitionInfo, regular_energy_error
from samplers.random import Seed, fold_in


class AnnealedPoint(NamedTuple):
    """A state with log density and gradient of both ends of the annealing path.

    Attributes:
      state: z, [chains, ...event], or a list of such parts.
      log_initial: log f_0(z) in nats, [chains].
      log_final: log f_1(z) in nats, [chains].
      grad_initial: gradient of log f_0, in the structure of `state`.
      grad_final: gradient of log f_1, likewise.
    """

    state: tf.Tensor | list[tf.Tensor]
    log_initial: tf.Tensor
    log_final: tf.Tensor
    grad_initial: tf.Tensor | list[tf.Tensor]
    grad_final: tf.Tensor | list[tf.Tensor]

    def log_density(self, beta: tf.Tensor) -> tf.Tensor:
        """(1 - beta) log f_0(z) + beta log f_1(z), the log density at `beta` in nats, [chains]."""
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
      energy_error: abs(H_1 - H_0) of every move in nats, averaged over the chains of the first axis
        that did not diverge; 0 where all did. [moves, 1, ...].
      num_divergences: how many chains of the first axis diverged in every move, which is to say
        that their energy error is above 1000 nats or is not finite. int32, [moves, 1, ...].
      step_size: the step sizes of every move, shape [moves, ...]: those given, or those tuned.
    """

    end: AnnealedPoint
    log_weights: tf.Tensor
    accept_prob: tf.Tensor
    energy_error: tf.Tensor
    num_divergences: tf.Tensor
    step_size: tf.Tensor

    @property
    def state(self) -> tf.Tensor | list[tf.Tensor]:
        """The last state, a tensor or a list of tensors, as it was given."""
        return self.end.state


class Move(NamedTuple):
    """A kernel of annealed chains, which is reversible.

    Attributes:
      draw: (point, seed) -> noise, all that is random in one move; it looks at shapes and types.
      take: (evaluate, point, beta, step_size, noise) -> (point, TransitionInfo): leaves
        exp(point.log_density(beta)) invariant. `evaluate` maps a state to an `AnnealedPoint`, and
        the step size broadcasts against the chains.
    """

    draw: Callable
    take: Callable[..., tuple[AnnealedPoint, TransitionInfo]]


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

    Returns:
      The last state and the log weight of every chain, and how all moves went.

    Raises:
      ValueError: if `step_size` has neither one entry nor one for each move.
    """
    num_increments = schedule.shape[0] - 1
    num_moves = num_increments if last_move else num_increments - 1
    increments = tf.cast(schedule[1:] - schedule[:-1], tf.float64)
    point = annealed_point_at(initial_log_density, final_log_density, state)
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

    def step(t, noise, point, log_weights, correction, arrays):
        log_weights = weighed(log_weights, t, point)
        eps = step_size[t] * correction
        point, info = move.take(
            lambda z: annealed_point_at(initial_log_density, final_log_density, z),
            point,
            tf.cast(schedule[t + 1], one.dtype),
            eps,
            noise,
        )
        told = _over_chains(info)
        correction *= tf.exp(tuning_rate * (told[0] - target_accept))
        arrays = [a.write(t, value) for a, value in zip(arrays, (*told, eps), strict=True)]
        noise = move.draw(point, fold_in(seed, t + 1))
        return t + 1, noise, point, log_weights, correction, arrays

    log_weights = tf.zeros_like(one, tf.float64)
    dtypes = (one.dtype, one.dtype, tf.int32, one.dtype)
    moves = [tf.zeros(tf.concat([[0], tf.shape(one[:1])], 0), dtype) for dtype in dtypes]
    if num_moves:
        shape = one[:1].shape
        arrays = [tf.TensorArray(dtype, num_moves, element_shape=shape) for dtype in dtypes]
        noise = move.draw(point, fold_in(seed, 0))
        _, _, point, log_weights, _, arrays = tf.while_loop(
            lambda t, *_: t < num_moves,
            step,
            (0, noise, point, log_weights, one[:1], arrays),
            parallel_iterations=1,
        )
        moves = [array.stack() for array in arrays]
    if not last_move:
        log_weights = weighed(log_weights, num_moves, point)
    return AISResult(point, log_weights, *moves)


def _over_chains(info: TransitionInfo) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Acceptance probability, energy error and divergences over the first axis: [1, ...] each."""
    num_divergences = tf.reduce_sum(tf.cast(info.is_divergent, tf.int32), 0, keepdims=True)
    total = tf.reduce_sum(regular_energy_error(info), 0, keepdims=True)
    num_regular = tf.cast(tf.shape(info.is_divergent)[0] - num_divergences, total.dtype)
    accept_prob = tf.reduce_mean(info.accept_prob, 0, keepdims=True)
    return accept_prob, tf.math.divide_no_nan(total, num_regular), num_divergences


def annealed_point_at(
    initial_log_density: LogDensity,
    final_log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
) -> AnnealedPoint:
    """Evaluates both log densities and their gradients.

    Args:
      initial_log_density: log f_0, from [chains, ...event] to nats per chain [chains].
      final_log_density: log f_1, likewise.
      state: [chains, ...event], or a list of such parts.

    Returns:
      The `AnnealedPoint` at `state`.
    """
    log_initial, grad_initial = value_and_gradient(initial_log_density, state)
    log_final, grad_final = value_and_gradient(final_log_density, state)
    # What one of them does not know of the chains' shape is told by the other: an axis that may be
    # of length one broadcasts to nobody knows what.
    shape = log_initial.shape.merge_with(log_final.shape)
    log_initial, log_final = (tf.ensure_shape(v, shape) for v in (log_initial, log_final))
    return AnnealedPoint(state, log_initial, log_final, grad_initial, grad_final)


def hamiltonian_move(
    num_leapfrog_steps: int | tf.Tensor,
    *,
    scale: float | tf.Tensor | list[tf.Tensor] = 1.0,
    jitter: float = 0.0,
) -> Move:
    """Makes the kernel of Hamiltonian Monte Carlo (Neal 2011) for annealed chains.

    Args:
      num_leapfrog_steps: leapfrog steps in a move; each costs one gradient of both densities.
      scale: factor on the step size per dimension, broadcasting against the state (or its parts).
      jitter: as `hamiltonian_transition`.

    Returns:
      The move.
    """

    def take(evaluate, point, beta, step_size, noise):
        steps = tf.nest.map_structure(
            lambda z, s: per_chain(step_size, z) * s, point.state, for_each_part(scale, point.state)
        )
        return hamiltonian_transition(
            evaluate,
            point,
            noise,
            step_size=steps,
            num_leapfrog_steps=num_leapfrog_steps,
            jitter=jitter,
            log_density=lambda point: point.log_density(beta),
            gradient=lambda point: point.gradient(beta),
        )

    return Move(lambda point, seed: hmc_noise(point.state, point.log_final, seed), take)
