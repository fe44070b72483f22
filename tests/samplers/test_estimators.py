"""Estimators against what they estimate."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores

import samplers
from samplers import estimators

SCALE = np.array([0.3, 1.0])  # of log weights, whose mean weight is e
WRONG = {
    "sum for mean": (" - tf.math.log(count)", ""),
    "mean of logs": (
        "tf.reduce_logsumexp(log_weights, axis) - tf.math.log(count)",
        "tf.reduce_mean(log_weights, axis)",
    ),
    "error of one weight": ("tf.sqrt(variance / (num_samples - 1))", "tf.sqrt(variance)"),
    "error of the mean weight itself": ("tf.exp(log_weights - log_mean)", "tf.exp(log_weights)"),
    "variance for the error": ("values.std(axis", "values.var(axis"),
}


def deviation(module):
    """Of estimates, and of the errors they tell, from 400 runs of 500 samples."""
    draws = np.random.default_rng(0).standard_normal((500, 400, 2))
    result = module.log_mean_weight(tf.constant(1 - SCALE**2 / 2 + SCALE * draws))
    mean, stderr = (value.numpy() for value in result)
    of_mean = module.standard_error(draws * SCALE)
    return max(
        np.abs(z_scores(np.exp(mean - 1), 1.0)).max() / 4,
        np.abs(stderr.mean(0) / mean.std(0) - 1).max() / 0.15,
        np.abs(of_mean.mean(0) / (draws * SCALE).mean(0).std(0) - 1).max() / 0.15,
    )


def test_log_mean_weight():
    assert deviation(estimators) < 1


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_estimators_are_rejected(change):
    assert not deviation(mutant("samplers.estimators", *change)) < 1


def test_log_mean_exp_of_large_numbers():
    values = tf.constant([[1000.0, -1000.0], [1000 + np.log(3), -1000.0]])
    expected = 1000 + np.log(2), -1000
    np.testing.assert_allclose(samplers.log_mean_exp(values), expected, rtol=1e-6)
    np.testing.assert_allclose(samplers.log_mean_exp(tf.transpose(values), 1), expected, rtol=1e-6)


def test_effective_sample_size():
    shares = tf.constant([[0.25, 1.0, 0.5], [0.25, 0.0, 0.5], [0.25, 0.0, 0.0], [0.25, 0.0, 0.0]])
    np.testing.assert_allclose(samplers.effective_sample_size(shares), [4, 1, 2])


def test_one_sample_has_no_error():
    assert np.isnan(samplers.log_mean_weight(tf.zeros([1, 2])).stderr).all()
    assert np.isnan(samplers.standard_error([2.0])) and samplers.standard_error([2.0, 2.0]) == 0
    assert samplers.standard_error(np.zeros([3, 1]), axis=1).shape == (3,)
