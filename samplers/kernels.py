"""What transition kernels have in common: each takes one step and tells how it went.

A kernel returns the next state and a `TransitionInfo`. A chain repeats it in one `tf.while_loop`.
"""

from typing import NamedTuple

import tensorflow as tf

from samplers.density import per_chain, with_shapes_of

DIVERGED = 1000.0  # nats


class TransitionInfo(NamedTuple):
    """How one transition of every chain went.

    Attributes:
      accept_prob: acceptance probability min(1, exp(H_0 - H_1)), [chains]; 0 where the proposal's
        energy is not finite.
      energy_error: abs(H_1 - H_0) in nats, [chains]; it may be infinite where the chain diverged.
        For a move that is not Hamiltonian it is the size of the log acceptance ratio.
      is_divergent: whether the trajectory diverged, [chains]: whether its energy error is above
        1000 nats or is not finite.
    """

    accept_prob: tf.Tensor
    energy_error: tf.Tensor
    is_divergent: tf.Tensor


def transition_info(log_accept_ratio: tf.Tensor) -> TransitionInfo:
    """Tells of a transition what follows from its log acceptance ratio.

    Args:
      log_accept_ratio: H_0 - H_1 in nats, [chains].

    Returns:
      The `TransitionInfo` of every chain.
    """
    error = tf.abs(log_accept_ratio)
    return TransitionInfo(
        accept_prob=tf.exp(tf.minimum(log_accept_ratio, 0.0)),
        energy_error=error,
        # Not ~(error <= DIVERGED), of which TensorFlow's graphs make error > DIVERGED.
        is_divergent=(error > DIVERGED) | tf.math.is_nan(error),
    )


def accept_or_reject(current, proposal, log_accept_ratio: tf.Tensor, noise: tf.Tensor):
    """Moves every chain to its proposal with its own acceptance probability (Hastings 1970).

    Args:
      current: what is kept of the chains where they are: a structure of tensors [chains, ...].
      proposal: the same where they may go.
      log_accept_ratio: log of the acceptance ratio in nats, [chains]; a proposal is rejected where
        it is not finite.
      noise: uniform numbers in [0, 1), [chains].

    Returns:
      The structure that was chosen for every chain, and the `TransitionInfo`.
    """
    # A ratio that is not a number means that the integrator diverged.
    log_ratio = tf.where(tf.math.is_finite(log_accept_ratio), log_accept_ratio, -float("inf"))
    info = transition_info(log_ratio)
    accepted = noise < info.accept_prob
    chosen = tf.nest.map_structure(
        lambda new, old: tf.where(per_chain(accepted, new), new, old), proposal, current
    )
    return with_shapes_of(chosen, current), info


def regular_energy_error(info: TransitionInfo) -> tf.Tensor:
    """The energy error of the transitions that did not diverge, and 0 of those that did: [chains].

    Args:
      info: tells of one transition of every chain.

    Returns:
      Finite numbers in nats, to be averaged over as many transitions as did not diverge.
    """
    return tf.where(info.is_divergent, tf.zeros_like(info.energy_error), info.energy_error)
