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


def leave_one_out_bounds(log_weights: tf.Tensor) -> tf.Tensor:
    """Averages weights with that of each sample replaced by the geometric mean of the others.

    So it says of every sample what the log of the mean would have been without knowing it (Mnih and
    Rezende 2016, eq. 10).

    Args:
      log_weights: finite, nats, [S, ...], at least two samples, whose number is known.

    Returns:
      For each sample the log of the mean weight, [S, ...], which does not depend on its own weight.

    Raises:
      ValueError: for fewer samples.
    """
    count = log_weights.shape[0]
    if count < 2:
        raise ValueError(f"log_weights must be of at least 2 samples; they were of {count}.")
    others = (tf.reduce_sum(log_weights, 0) - log_weights) / (count - 1)
    own = tf.eye(count, dtype=tf.bool)
    own = tf.reshape(own, [count, count] + [1] * (log_weights.shape.rank - 1))
    return log_mean_exp(tf.where(own, others[None], log_weights[:, None]))


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


class WeightSummary(NamedTuple):
    """The log of a mean weight, and what the weights tell of how far it can be trusted.

    Weights that are NaN or infinite are of chains that failed; all else is of the others.

    Attributes:
      log_mean: log of the mean weight over samples, in nats, [...]; NaN if all failed.
      stderr: its Monte Carlo standard error, [...]; NaN for a single sample.
      effective_sample_size: the equally weighted samples that would be worth as much, [...]; 0
        where all weights are 0.
      pareto_k: the shape of the weights' upper tail, as `pareto_shape` has it, [...].
      num_failed: how many failed, int32, [...].
    """

    log_mean: tf.Tensor
    stderr: tf.Tensor
    effective_sample_size: tf.Tensor
    pareto_k: tf.Tensor
    num_failed: tf.Tensor


def weight_summary(log_weights: tf.Tensor) -> WeightSummary:
    """Averages weights of independent samples, as `log_mean_weight` does, and tells more of them.

    Args:
      log_weights: nats, [S, ...]; a weight of 0 is minus infinity.

    Returns:
      The `WeightSummary`, float64.
    """
    log_weights = tf.cast(log_weights, tf.float64)
    none = tf.constant(-math.inf, tf.float64)
    failed = tf.math.is_nan(log_weights) | (log_weights == math.inf)
    kept = tf.where(failed, none, log_weights)
    num_failed = tf.reduce_sum(tf.cast(failed, tf.int32), 0)
    num_kept = tf.cast(tf.shape(log_weights)[0] - num_failed, tf.float64)
    log_mean = tf.reduce_logsumexp(kept, 0) - tf.math.log(num_kept)
    # Not by the log of their sum: to 1e17 a float cannot add the log of a number of weights.
    largest = tf.reduce_max(kept, 0)
    scaled = tf.exp(kept - tf.where(tf.math.is_finite(largest), largest, 0.0))
    squares = tf.reduce_sum(tf.math.divide_no_nan(scaled, tf.reduce_sum(scaled, 0)) ** 2, 0)
    # The variance of w / mean(w) is num_kept sum(shares^2) - 1.
    variance = tf.maximum(num_kept * squares - 1, 0.0)
    return WeightSummary(
        log_mean=log_mean,
        stderr=tf.where(squares > 0, tf.sqrt(variance / (num_kept - 1)), math.nan),
        effective_sample_size=tf.math.divide_no_nan(tf.ones_like(squares), squares),
        pareto_k=pareto_shape(kept),
        num_failed=num_failed,
    )


FEWEST_FOR_A_TAIL = 25  # weights, of which the largest five are looked at


def pareto_shape(log_weights: tf.Tensor) -> tf.Tensor:
    """Fits a generalised Pareto law to the largest weights, and tells its shape k.

    Weights of shape k have moments up to order 1 / k: above 1/2 the mean weight has no finite
    variance, above 0.7 its error cannot be told from the weights (Vehtari, Simpson, Gelman, Yao and
    Gabry 2024, "Pareto smoothed importance sampling"). The tail is the largest min(S / 5,
    3 sqrt(S)) weights, the fit that of Zhang and Stephens (2009) with the prior of the paper.

    Args:
      log_weights: nats, [S, ...], S known when traced; a weight of 0 is minus infinity.

    Returns:
      k, float64, [...]; NaN of fewer than 25 weights, or where the tail is not above 0.
    """
    log_weights = tf.cast(log_weights, tf.float64)
    num_samples = log_weights.shape[0]
    if num_samples is None or num_samples < FEWEST_FOR_A_TAIL:
        return tf.fill(tf.shape(log_weights)[1:], tf.constant(math.nan, tf.float64))
    size = math.ceil(min(num_samples / 5, 3 * math.sqrt(num_samples)))
    axes = [*range(1, log_weights.shape.rank), 0]
    largest = tf.math.top_k(tf.transpose(log_weights, axes), size + 1).values  # [..., M + 1]
    scaled = tf.exp(largest - largest[..., :1])
    excess = (scaled[..., :-1] - scaled[..., -1:])[..., ::-1]  # rising, over the threshold
    return _shape_of_excess(excess)


def _shape_of_excess(x: tf.Tensor) -> tf.Tensor:
    """k of a generalised Pareto law by M rising numbers, [..., M]: Zhang and Stephens (2009).

    theta = -k / scale has a posterior mean over a grid, at which k is the likeliest.
    """
    size = x.shape[-1]
    num_points = 30 + int(math.sqrt(size))
    points = (tf.range(num_points, dtype=x.dtype) + 0.5) / num_points
    quartile = x[..., int(size / 4 + 0.5) - 1]
    # Where weights are equal there is no tail to fit.
    has_tail = (quartile > 0) & tf.math.is_finite(x[..., -1])
    largest = tf.where(has_tail, x[..., -1], 1.0)[..., None]
    quartile = tf.where(has_tail, quartile, 1.0)[..., None]
    theta = 1 / largest + (1 - tf.sqrt(1 / points)) / (3 * quartile)  # [..., points]

    def shape_at(theta):  # k, of the sign in which heavy tails are positive
        return tf.reduce_mean(tf.math.log1p(-theta[..., None] * x[..., None, :]), -1)

    k = shape_at(theta)
    profile = size * (tf.math.log(-theta / k) - k - 1)
    mean = tf.reduce_sum(tf.nn.softmax(profile, -1) * theta, -1, keepdims=True)
    # A weak prior, of ten observations at 1/2.
    k = (size * shape_at(mean)[..., 0] + 10 * 0.5) / (size + 10)
    return tf.where(has_tail, k, math.nan)


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
