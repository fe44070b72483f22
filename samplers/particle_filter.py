"""Particle filters: log p(x_1, ..., x_T) of a model of sequences, step by step."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.estimators import effective_sample_size, log_mean_exp
from samplers.random import Seed, fold_in
from samplers.repeat import repeat
from samplers.resampling import systematic_resampling


class FilterResult(NamedTuple):
    """Where a filter ended, and what it estimates.

    Attributes:
      state: of the particles after the last step, [S, B, ...] each.
      log_weights: of these particles, nats, [S, B], float64: log p(x_1, ..., x_T), and how they
        share it. Their `log_mean_exp` is the estimate, whose exponential is right on average.
      increments: what each step adds to the estimate, an estimate of log p(x_t given what came
        before), nats, [T, B].
      effective_sample_size: of the weights after each step, [T, B].
    """

    state: list
    log_weights: tf.Tensor
    increments: tf.Tensor
    effective_sample_size: tf.Tensor


def particle_filter(
    step: Callable, state, inputs, *, threshold: float = 0.5, seed: Seed
) -> FilterResult:
    """Filters sequences with S particles each (Gordon, Salmond and Smith 1993).

    Particles whose weights have become unequal are drawn again, by systematic resampling; without
    that (`threshold=0`) this is importance sampling of whole paths.

    Args:
      step: maps the particles [S, B, ...], the inputs of the step and a seed to the particles after
        it and the log weights that it adds, nats, [S, B]: log p(x_t, z_t given the past) minus that
        of the law that z_t was drawn from.
      state: of the particles at the start, a list of tensors [S, B, ...].
      inputs: of all steps, a structure of tensors [T, ...].
      threshold: the particles of a sequence are drawn again where their effective sample size is
        below this share of S.
      seed: int or int32[2]. What a step draws does not depend on T.

    Returns:
      The `FilterResult`.
    """
    num_particles, batch = tf.unstack(tf.shape(state[0])[:2])
    num_steps = tf.nest.flatten(inputs)[0].shape[0]
    # Relative to the estimate, which may be so large that they would drown in its rounding.
    relative = tf.zeros_like(tf.reduce_sum(state[0], tf.range(2, state[0].shape.rank)))
    told = tf.repeat(tf.zeros_like(relative[:1]), num_steps, 0)

    def one(t, carried, inputs):
        state, relative, increments, sizes = carried
        given = tf.nest.map_structure(lambda values: values[t], inputs)
        state, added = step(state, given, fold_in(seed, "step", t))
        relative += added
        increment = log_mean_exp(relative)
        relative -= increment
        size = effective_sample_size(tf.nn.softmax(relative, 0))
        here = tf.range(num_steps)[:, None] == t
        increments, sizes = tf.where(here, increment, increments), tf.where(here, size, sizes)
        if threshold:
            again = size < threshold * tf.cast(num_particles, size.dtype)
            drawn = systematic_resampling(relative, fold_in(seed, "resample", t))
            drawn = tf.where(again, drawn, tf.range(num_particles)[:, None])
            index = tf.stack([drawn, tf.broadcast_to(tf.range(batch), tf.shape(drawn))], -1)
            state = [tf.gather_nd(part, index) for part in state]
            relative = tf.where(again, tf.zeros_like(relative), relative)
        return state, relative, increments, sizes

    start = list(state), relative, told, told
    state, relative, increments, sizes = repeat(one, start, num_steps, context=inputs)
    estimate = tf.reduce_sum(tf.cast(increments, tf.float64), 0)
    return FilterResult(state, estimate + tf.cast(relative, tf.float64), increments, sizes)
