"""Paths with weights: chains through which a gradient can flow, scored by reverse kernels.

A path z_0 ~ q, z_t ~ forward(z_t given z_{t-1}), t = 1 ... T, to an unnormalised density f has

    log w = log f(z_T) - log q(z_0)
            + sum_t [log reverse(z_{t-1} given z_t) - log forward(z_t given z_{t-1})],

and E[w] is the normaliser of f for any kernels, also where they move a momentum v along with z.
Kernels of the zoo take leapfrog steps from (z_{t-1}, v'_t) to (z_t, v_t), whose determinant is one,
so that the log ratios are

    log r(v_t given z_t) - log q(v'_t given z_{t-1})    v' is drawn of q, and r guesses it back;
    log N(v_t) - log N(v'_t)                            v'_t is v_{t-1}, a part of it new;
    log f_t(z_{t-1}) - log f_t(z_t)                     it is accepted or rejected, so that the
                                                        kernel leaves a density f_t invariant.

The first is Hamiltonian variational inference (Salimans, Kingma and Welling 2015). The second, all
of v replaced and one leapfrog step, is an unadjusted Langevin step with the step back as its
reverse (Thin et al. 2021); with a part of v it is underdamped (Geffner and Domke 2021; Zhang et al.
2021). The third is annealed importance sampling (Neal 2001).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import event_sum
from samplers.hamiltonian import HMCNoise, hamiltonian_transition
from samplers.integrators import leapfrog
from samplers.kernels import TransitionInfo


class ScoredStep(NamedTuple):
    """One step of every path.

    Attributes:
      point: what is known where the path is now.
      momentum: v_t there, in the structure of the state.
      log_ratio: log reverse - log forward, nats, [chains].
    """

    point: NamedTuple
    momentum: tf.Tensor | list[tf.Tensor]
    log_ratio: tf.Tensor


class AdjustedStep(NamedTuple):
    """One step of every path that was accepted or rejected.

    Attributes:
      point: what is known where the path is now.
      log_ratio: log f(z_{t-1}) - log f(z_t), nats, [chains].
      log_choice: the log probability of what was chosen, acceptance or rejection, [chains]. Choices
        have no gradient of their own: that of an expectation over paths has the term
        E[log w grad log_choice], summed over steps.
      info: how the transition went.
    """

    point: NamedTuple
    log_ratio: tf.Tensor
    log_choice: tf.Tensor
    info: TransitionInfo


def underdamped_step(
    evaluate: Callable,
    point,
    momentum: tf.Tensor | list[tf.Tensor],
    noise: tf.Tensor | list[tf.Tensor],
    *,
    damping: float | tf.Tensor,
    step_size: float | tf.Tensor | list[tf.Tensor],
    num_leapfrog_steps: int = 1,
    num_chain_axes: int = 1,
    gradient: Callable = lambda point: point.gradient,
) -> ScoredStep:
    """Refreshes a part of the momentum, v' = g v + sqrt(1 - g^2) n, and takes leapfrog steps.

    Args:
      evaluate: maps a state to what is known there, such as `lambda z: point_at(log_density, z)`.
      point: what `evaluate` gives at z_{t-1}.
      momentum: v_{t-1}, in the structure of the state; of the first step, draws of N(0, I).
      noise: n, standard normal numbers likewise.
      damping: g, from 0, where all of the momentum is new, to 1, where none is.
      step_size: of leapfrog steps, as `leapfrog`.
      num_leapfrog_steps: of them.
      num_chain_axes: number of axes of the chains.
      gradient: maps such a point to the gradient of log f_t.

    Returns:
      The path at t.
    """
    refreshed = tf.nest.map_structure(
        lambda v, n: damping * v + tf.sqrt(1 - tf.square(damping)) * n, momentum, noise
    )
    point, momentum = leapfrog(
        evaluate,
        point,
        refreshed,
        step_size=step_size,
        num_steps=num_leapfrog_steps,
        gradient=gradient,
        max_num_steps=num_leapfrog_steps,
    )
    change = tf.nest.map_structure(lambda v, w: tf.square(v) - tf.square(w), refreshed, momentum)
    return ScoredStep(point, momentum, event_sum(change, num_chain_axes) / 2)


def adjusted_step(
    evaluate: Callable,
    point,
    noise: HMCNoise,
    *,
    step_size: float | tf.Tensor | list[tf.Tensor],
    log_density: Callable = lambda point: point.log_density,
    gradient: Callable = lambda point: point.gradient,
) -> AdjustedStep:
    """Takes one Metropolis-adjusted Langevin step, a Hamiltonian transition of one leapfrog step.

    Args:
      evaluate: as `underdamped_step`.
      point: what it gives at z_{t-1}.
      noise: of the transition.
      step_size: as `leapfrog`.
      log_density: maps such a point to log f_t in nats, [chains].
      gradient: maps such a point to the gradient of log f_t.

    Returns:
      The path at t.
    """
    moved, info = hamiltonian_transition(
        evaluate,
        point,
        noise,
        step_size=step_size,
        num_leapfrog_steps=1,
        log_density=log_density,
        gradient=gradient,
    )
    probability = info.accept_prob
    chosen = tf.where(noise.choice < probability, probability, 1 - probability)
    log_ratio = log_density(point) - log_density(moved)
    return AdjustedStep(moved, log_ratio, tf.math.log(chosen), info)
