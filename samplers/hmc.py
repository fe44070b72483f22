"""Hamiltonian Monte Carlo: many transitions in one loop of constant memory."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.agreement import Halves, add_to_halves, no_halves
from samplers.density import LogDensity, for_each_part, per_chain
from samplers.hamiltonian import hamiltonian_transition, hmc_noise
from samplers.integrators import Point, point_at
from samplers.kernels import TransitionInfo, regular_energy_error
from samplers.random import Seed, fold_in


class HMCResult(NamedTuple):
    """Where the chains ended and how they went.

    Attributes:
      state: the last state, a tensor or a list of tensors, as it was given.
      accept_prob: acceptance probability min(1, exp(H_0 - H_1)) of every chain, averaged over its
        transitions; 0 where the proposal's energy is not finite. Shape [chains].
      energy_error: abs(H_1 - H_0) in nats, averaged over the transitions of the chain that did not
        diverge; 0 where all did. Shape [chains].
      num_divergences: how many transitions of the chain diverged, which is to say that their
        energy error is above 1000 nats or is not finite. int32, shape [chains].
      step_scale: the factor on `step_size` that the adaptation arrived at; 1 without. [chains].
      halves: the moments of what was shown, for `split_r_hat`; () of nothing.
    """

    state: tf.Tensor | list[tf.Tensor]
    accept_prob: tf.Tensor
    energy_error: tf.Tensor
    num_divergences: tf.Tensor
    step_scale: tf.Tensor
    halves: Halves | tuple = ()


def hmc_kernel(
    log_density: LogDensity,
    point: Point,
    *,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
    jitter: float = 0.0,
    seed: Seed,
) -> tuple[Point, TransitionInfo]:
    """Takes one transition: a momentum p ~ N(0, I), a trajectory, and acceptance by chain.

    Args:
      log_density: maps the state to log densities in nats, shape [chains] (any rank).
      point: where the chains are, from `point_at` with the same log density or from this kernel.
      step_size: broadcasts against the state; one per part, or one for all of them.
      num_leapfrog_steps: leapfrog steps of the trajectory; each costs one gradient.
      jitter: as `hamiltonian_transition`.
      seed: int or int32[2].

    Returns:
      Where the chains are now, and how the transition went.
    """
    return hamiltonian_transition(
        lambda z: point_at(log_density, z),
        point,
        hmc_noise(point.state, point.log_density, seed),
        step_size=step_size,
        num_leapfrog_steps=num_leapfrog_steps,
        jitter=jitter,
    )


def hmc(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
    jitter: float = 0.0,
    num_adaptation_steps: int | tf.Tensor = 0,
    target_accept: float = 0.8,
    show: Callable | None = None,
    seed: Seed,
) -> HMCResult:
    """Runs `num_steps` transitions of Hamiltonian Monte Carlo from `state`.

    One transition draws a momentum p ~ N(0, I), integrates `num_leapfrog_steps` leapfrog steps and
    accepts every chain on its own (Neal 2011). It costs `num_leapfrog_steps` gradients, and the
    whole call one more for the first. Neither counts nor step sizes cause a retrace when they are
    tensors. Call it outside a recording tape: no gradient is meant to flow through.

    Args:
      log_density: maps the state to log densities in nats, shape [chains] (any rank).
      state: where the chains start: [chains, ...event], or a list of such parts.
      num_steps: number of transitions.
      step_size: broadcasts against the state; one per part, or one for all of them.
      num_leapfrog_steps: leapfrog steps in a transition.
      jitter: every transition of every chain multiplies its step size by a random number in
        [1 - jitter, 1 + jitter).
      num_adaptation_steps: number of first transitions during which each chain rescales its own
        step size towards `target_accept`; then it is frozen. Samples count only after that.
      target_accept: acceptance probability that the adaptation aims at.
      show: maps a state to tensors [chains, ...], by which `split_r_hat` tells whether chains
        agree.
      seed: int or int32[2].

    Returns:
      The last state of every chain, and how its transitions went.
    """
    step_sizes = for_each_part(step_size, state)

    def noise_of(i, point):
        return hmc_noise(point.state, point.log_density, fold_in(seed, i))

    def transition(i, noise, point, accepted, error, num_divergences, step_scale, halves):
        point, info = hamiltonian_transition(
            lambda z: point_at(log_density, z),
            point,
            noise,
            step_size=tf.nest.map_structure(
                lambda e, z: e * per_chain(step_scale, z), step_sizes, point.state
            ),
            num_leapfrog_steps=num_leapfrog_steps,
            jitter=jitter,
        )
        error += regular_energy_error(info)
        num_divergences += tf.cast(info.is_divergent, tf.int32)
        # Robbins-Monro on the log step size: the gains shrink, and stop with the adaptation.
        gain = tf.where(i < num_adaptation_steps, tf.cast(i + 1, error.dtype) ** -0.5, 0.0)
        step_scale *= tf.exp(gain * (info.accept_prob - target_accept))
        if show is not None:
            halves = add_to_halves(halves, show(point.state), i, num_steps)
        accepted += info.accept_prob
        noise = noise_of(i + 1, point)
        return i + 1, noise, point, accepted, error, num_divergences, step_scale, halves

    start = point_at(log_density, tf.nest.map_structure(tf.convert_to_tensor, state))
    one = tf.ones_like(start.log_density)
    zero, none = tf.zeros_like(one), tf.zeros_like(one, tf.int32)
    halves = () if show is None else no_halves(show(start.state))
    _, _, end, accepted, error, num_divergences, step_scale, halves = tf.while_loop(
        lambda i, *_: i < num_steps,
        transition,
        (0, noise_of(0, start), start, zero, zero, none, one, halves),
        parallel_iterations=1,
    )
    num_regular = tf.cast(num_steps - num_divergences, one.dtype)
    return HMCResult(
        end.state,
        accept_prob=accepted / tf.cast(tf.maximum(num_steps, 1), one.dtype),
        energy_error=tf.math.divide_no_nan(error, num_regular),
        num_divergences=num_divergences,
        step_scale=step_scale,
        halves=halves,
    )
