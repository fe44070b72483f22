"""Implicit posteriors: one of several weighted draws (Ding and Freedman 2020, algorithm 2)."""

import tensorflow as tf

from samplers.annealed import annealed_importance_sampling
from samplers.density import LogDensity, per_chain
from samplers.random import Seed, fold_in, uniform


def implicit_posterior(
    initial_log_density: LogDensity,
    final_log_density: LogDensity,
    state: tf.Tensor | list[tf.Tensor],
    schedule: tf.Tensor,
    *,
    seed: Seed,
    **annealing,
) -> tf.Tensor | list[tf.Tensor]:
    """Draws from q_AIS: K chains are annealed and weighed, and one of them is drawn by its weight.

    With the schedule (0, 1) and without a last move it is q_IS, sampling importance resampling.
    Both tend to the density f_1 as K grows, q_AIS as the number of increments grows, too.

    Args:
      initial_log_density: log f_0, from [K, ...chains, ...event] to [K, ...chains], nats.
      final_log_density: log f_1, likewise.
      state: draws of f_0, K for each draw that is wanted: [K, ...chains, ...event], or parts.
      schedule: inverse temperatures, [T + 1].
      seed: int or int32[2].
      **annealing: other arguments of `annealed_importance_sampling`.

    Returns:
      The draws [...chains, ...event], in the structure of `state`.
    """
    result = annealed_importance_sampling(
        initial_log_density,
        final_log_density,
        state,
        schedule,
        seed=fold_in(seed, "anneal"),
        **annealing,
    )
    return resample(result.state, result.log_weights, fold_in(seed, "resample"))


def resample(
    state: tf.Tensor | list[tf.Tensor], log_weights: tf.Tensor, seed: Seed
) -> tf.Tensor | list[tf.Tensor]:
    """Draws one of the K states with probability proportional to its weight.

    Args:
      state: [K, ...chains, ...event], or a list of such parts.
      log_weights: [K, ...chains], nats.
      seed: int or int32[2].

    Returns:
      The states drawn, [...chains, ...event].
    """
    # No weight for a chain that diverged.
    log_weights = tf.where(
        tf.math.is_nan(log_weights), tf.cast(-float("inf"), log_weights.dtype), log_weights
    )
    # The largest of Gumbel-perturbed log weights is a draw from their softmax.
    gumbel = -tf.math.log(-tf.math.log(uniform(tf.shape(log_weights), seed, log_weights.dtype)))
    drawn = tf.argmax(log_weights + gumbel, 0)
    mask = tf.one_hot(drawn, tf.shape(log_weights)[0], axis=0, on_value=True, off_value=False)
    return tf.nest.map_structure(
        lambda z: tf.reduce_sum(tf.where(per_chain(mask, z), z, 0), 0), state
    )
