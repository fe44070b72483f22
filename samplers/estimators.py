"""Estimates from weighted samples, and their errors."""

from typing import NamedTuple

import tensorflow as tf


class LogMeanWeight(NamedTuple):
    """The log of a mean weight.

    Attributes:
      log_mean: nats, [B].
      stderr: its standard error over samples, nats, [B]; NaN of a single one.
    """

    log_mean: tf.Tensor
    stderr: tf.Tensor


def log_mean_weight(log_weights: tf.Tensor) -> LogMeanWeight:
    """The log of the mean weight of samples [S, B], with its error by the delta method."""
    log_mean = log_mean_exp(log_weights)
    num_chains = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    # The relative error of the mean weight is the error of its logarithm.
    variance = tf.math.reduce_variance(tf.exp(log_weights - log_mean), 0)
    return LogMeanWeight(log_mean, tf.sqrt(variance / (num_chains - 1)))


def log_mean_exp(log_weights: tf.Tensor) -> tf.Tensor:
    """The log of the mean weight over samples: [S, B] to [B]."""
    count = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, 0) - tf.math.log(count)


def effective_sample_size(shares: tf.Tensor) -> tf.Tensor:
    """1 / sum of squares of shares, weights that sum to one over samples: [S, B] to [B]."""
    return 1 / tf.reduce_sum(shares**2, 0)
