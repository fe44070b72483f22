"""Hamiltonian Monte Carlo: many transitions of TFP's kernel in one loop of constant memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from samplers.agreement import Halves, add_to_halves, no_halves
from samplers.density import LogDensity, for_each_part, per_chain, with_shapes_of
from samplers.kernels import TransitionInfo, regular_energy_error, transition_info
from samplers.random import Seed, fold_in


class HMCState(NamedTuple):
    """What one transition hands on to the next.

    Attributes:
      state: where the chains are, a tensor or a list of tensors, as it was given.
      results: what TFP's kernel keeps, such as the log density and its gradient there. It must not
        be used with another log density.
    """

    state: tf.Tensor | list[tf.Tensor]
    results: Any


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


def hmc_start(log_density: LogDensity, state: tf.Tensor | list[tf.Tensor]) -> HMCState:
    """Evaluates the log density and its gradient where the chains start.

    Args:
      log_density: maps the state to log densities in nats, shape [chains] (any rank).
      state: [chains, ...event], or a list of such parts.

    Returns:
      What `hmc_kernel` moves.
    """
    state = tf.nest.map_structure(tf.convert_to_tensor, state)
    kernel = _tfp_kernel(log_density, state, 1.0, 1)
    return HMCState(state, kernel.bootstrap_results(tf.nest.flatten(state)))


def hmc_kernel(
    log_density: LogDensity,
    current: HMCState,
    *,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
    seed: Seed,
) -> tuple[HMCState, TransitionInfo]:
    """Takes one transition: a momentum p ~ N(0, I), a trajectory, and acceptance by chain.

    Args:
      log_density: maps the state to log densities in nats, shape [chains] (any rank).
      current: where the chains are, from `hmc_start` or from this kernel.
      step_size: broadcasts against the state; one per part, or one for all of them.
      num_leapfrog_steps: leapfrog steps of the trajectory; each costs one gradient.
      seed: int or int32[2].

    Returns:
      Where the chains are now, and how the transition went.
    """
    state, results = current
    kernel = _tfp_kernel(log_density, state, step_size, num_leapfrog_steps)
    parts, results = kernel.one_step(tf.nest.flatten(state), results, seed=seed)
    moved = HMCState(tf.nest.pack_sequence_as(state, parts), results)
    return with_shapes_of(moved, current), transition_info(results.log_accept_ratio)


def hmc(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
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

    def transition(i, current, accepted, error, num_divergences, step_scale, halves):
        moved, info = hmc_kernel(
            log_density,
            current,
            step_size=tf.nest.map_structure(
                lambda e, z: e * per_chain(step_scale, z), step_sizes, current.state
            ),
            num_leapfrog_steps=num_leapfrog_steps,
            seed=fold_in(seed, i),
        )
        error += regular_energy_error(info)
        num_divergences += tf.cast(info.is_divergent, tf.int32)
        # Robbins-Monro on the log step size: the gains shrink, and stop with the adaptation.
        gain = tf.where(i < num_adaptation_steps, tf.cast(i + 1, error.dtype) ** -0.5, 0.0)
        step_scale *= tf.exp(gain * (info.accept_prob - target_accept))
        if show is not None:
            halves = add_to_halves(halves, show(moved.state), i, num_steps)
        accepted += info.accept_prob
        return i + 1, moved, accepted, error, num_divergences, step_scale, halves

    start = hmc_start(log_density, state)
    one = tf.ones_like(start.results.accepted_results.target_log_prob)
    zero, none = tf.zeros_like(one), tf.zeros_like(one, tf.int32)
    halves = () if show is None else no_halves(show(start.state))
    _, end, accepted, error, num_divergences, step_scale, halves = tf.while_loop(
        lambda i, *_: i < num_steps,
        transition,
        (0, start, zero, zero, none, one, halves),
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


def _tfp_kernel(log_density, state, step_size, num_leapfrog_steps):
    return tfp.mcmc.HamiltonianMonteCarlo(
        lambda *parts: log_density(tf.nest.pack_sequence_as(state, parts)),
        tf.nest.flatten(for_each_part(step_size, state)),
        num_leapfrog_steps,
    )
