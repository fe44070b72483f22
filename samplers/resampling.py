"""Drawing particles again by their weights."""

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from samplers.random import Seed, uniform


def systematic_resampling(log_weights: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Resamples particles by their weights, with one uniform number for each population.

    A particle with the share w of all weights occurs floor(S w) or ceil(S w) times, and S w times
    on average.

    Args:
      log_weights: nats, [S, ...].
      seed: int or int32[2].

    Returns:
      Indices of the particles that are drawn, [S, ...].
    """
    count = tf.shape(log_weights)[0]
    shares = tnp.moveaxis(tf.nn.softmax(log_weights, 0), 0, -1)  # [..., S]
    offset = uniform(tf.shape(shares[..., :1]), seed, shares.dtype)
    places = (tf.cast(tf.range(count), shares.dtype) + offset) / tf.cast(count, shares.dtype)
    found = tf.searchsorted(tf.cumsum(shares, -1), places, side="right")
    # The shares may add up to less than the last place, by rounding.
    return tnp.moveaxis(tf.minimum(found, count - 1), -1, 0)
