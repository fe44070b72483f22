"""Estimates from weighted and from plain draws, and their standard errors."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class LogMeanWeight(NamedTuple):
    """The log of a mean weight, with its error.

    Attributes:
      log_mean: log of the mean weight over samples, in nats, [...].
      stderr: its Monte Carlo standard error, [...]; NaN for a single sample.
    """

    log_mean: tf.Tensor
    stderr: tf.Tensor


def log_mean_exp(log_weights: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Averages weights that are given by their logarithms.

    Args:
      log_weights: nats, [S, ...].
      axis: the axis of the samples.

    Returns:
      The log of the mean weight over samples, [...].
    """
    count = tf.cast(tf.shape(log_weights)[axis], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis) - tf.math.log(count)


def log_mean_weight(log_weights: tf.Tensor) -> LogMeanWeight:
    """Averages weights of independent samples and estimates the error of the result.

    Args:
      log_weights: nats, [S, ...].

    Returns:
      The log of the mean weight over samples, and its standard error by the delta method: the
      relative error of the mean weight is the error of its logarithm.
    """
    log_mean = log_mean_exp(log_weights)
    num_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    variance = tf.math.reduce_variance(tf.exp(log_weights - log_mean), 0)
    return LogMeanWeight(log_mean, tf.sqrt(variance / (num_samples - 1)))


def effective_sample_size(shares: tf.Tensor) -> tf.Tensor:
    """Counts the equally weighted samples that would be worth as much (Kong 1992).

    Args:
      shares: weights that sum to one over the samples, [S, ...].

    Returns:
      1 / sum of their squares, [...]: from 1, where one sample has all the weight, to S.
    """
    return 1 / tf.reduce_sum(shares**2, 0)


def standard_error(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Estimates the standard error of the mean of independent values.

    Args:
      values: [N, ...].
      axis: the axis of the values.

    Returns:
      Their standard deviation over the square root of N, [...]; NaN for a single value.
    """
    values = np.asarray(values)
    if values.shape[axis] < 2:
        return values.sum(axis) * math.nan
    return values.std(axis, ddof=1) / math.sqrt(values.shape[axis])
