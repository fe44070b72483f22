"""Hamiltonian Monte Carlo: many transitions of TFP's kernel in one loop of constant memory."""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from samplers.density import LogDensity, for_each_part, per_chain, with_shapes_of
from samplers.random import Seed, fold_in

_DIVERGED = 1000.0  # nats


class HMCResult(NamedTuple):
    """Where the chains ended and how they went.

    Attributes:
      state: the last state, a tensor or a list of tensors, as it was given.
      accept_prob: acceptance probability min(1, exp(H_0 - H_1)) of every chain, averaged over its
        transitions; 0 where the proposal's energy is not finite. Shape [chains].
      energy_error: abs(H_1 - H_0) in nats, averaged over all transitions of the chain, each counted
        as 1000 at most (and where it is not finite), which is a trajectory that diverged. [chains].
      step_scale: the factor on `step_size` that the adaptation arrived at; 1 without. [chains].
    """

    state: tf.Tensor | list[tf.Tensor]
    accept_prob: tf.Tensor
    energy_error: tf.Tensor
    step_scale: tf.Tensor


def hmc(
    log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    *,
    num_steps: int | tf.Tensor,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int | tf.Tensor,
    num_adaptation_steps: int | tf.Tensor = 0,
    target_accept: float = 0.8,
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
      num_adaptation_steps: during so many first transitions each chain rescales its own step size
        towards `target_accept`; then it is frozen. Samples count only after that.
      target_accept: acceptance probability that the adaptation aims at.
      seed: int or int32[2].
    """
    parts = [tf.convert_to_tensor(part) for part in tf.nest.flatten(state)]
    step_sizes = tf.nest.flatten(for_each_part(step_size, state))

    def kernel(step_sizes):
        return tfp.mcmc.HamiltonianMonteCarlo(
            lambda *parts: log_density(tf.nest.pack_sequence_as(state, parts)),
            step_sizes,
            num_leapfrog_steps,
        )

    def transition(i, parts, results, accepted, error, step_scale):
        scaled = [e * per_chain(step_scale, z) for e, z in zip(step_sizes, parts, strict=True)]
        moved = kernel(scaled).one_step(parts, results, seed=fold_in(seed, i))
        parts, results = with_shapes_of(moved, (parts, results))
        log_accept_ratio = results.log_accept_ratio
        accept_prob = tf.exp(tf.minimum(log_accept_ratio, 0.0))
        error += energy_error(log_accept_ratio)
        # Robbins-Monro on the log step size: the gains shrink, and stop with the adaptation.
        gain = tf.where(i < num_adaptation_steps, tf.cast(i + 1, error.dtype) ** -0.5, 0.0)
        step_scale *= tf.exp(gain * (accept_prob - target_accept))
        return i + 1, parts, results, accepted + accept_prob, error, step_scale

    results = kernel(step_sizes).bootstrap_results(parts)
    one = tf.ones_like(results.accepted_results.target_log_prob)
    zero = tf.zeros_like(one)
    _, parts, _, accepted, error, step_scale = tf.while_loop(
        lambda i, *_: i < num_steps,
        transition,
        (0, parts, results, zero, zero, one),
        parallel_iterations=1,
    )
    num_averaged = tf.cast(tf.maximum(num_steps, 1), one.dtype)
    return HMCResult(
        tf.nest.pack_sequence_as(state, parts),
        accept_prob=accepted / num_averaged,
        energy_error=error / num_averaged,
        step_scale=step_scale,
    )


def energy_error(log_accept_ratio: tf.Tensor) -> tf.Tensor:
    """abs(H_1 - H_0) in nats of transitions, 1000 at most, and where it is not finite."""
    error = tf.abs(log_accept_ratio)
    return tf.where(error < _DIVERGED, error, _DIVERGED)  # false for NaN, too
