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


def test_one_summary_tells_what_the_estimators_do():
    log_weights = tf.constant(np.random.default_rng(1).standard_normal((40, 3)) * [0.1, 1, 3])
    found, (log_mean, stderr) = (
        samplers.weight_summary(log_weights),
        samplers.log_mean_weight(log_weights),
    )
    np.testing.assert_array_equal(found.log_mean, log_mean)
    np.testing.assert_allclose(found.stderr, stderr, rtol=1e-6)
    shares = tf.nn.softmax(log_weights, 0)
    expected = samplers.effective_sample_size(shares)
    np.testing.assert_allclose(found.effective_sample_size, expected)
    np.testing.assert_array_equal(found.pareto_k, samplers.pareto_shape(log_weights))
    assert found.num_failed.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("log_weights", "log_mean", "effective", "num_failed"),
    [
        ([0.0, -np.inf, -np.inf, 0.0], -np.log(2), 2, 0),  # weights of 0 count
        ([0.0, np.nan, np.nan, 0.0], 0.0, 2, 2),
        ([0.0, np.nan, -np.inf, np.inf], -np.log(2), 1, 2),
        ([-np.inf] * 4, -np.inf, 0, 0),
        ([np.nan] * 4, np.nan, 0, 4),
        ([1000.0] * 4, 1000.0, 4, 0),
        ([1e30] * 4, 1e30, 4, 0),
        ([-1e30, -1e30, -3e38, -3e38], -1e30, 2, 0),
    ],
)
def test_weights_of_zero_count_and_those_that_failed_do_not(
    log_weights, log_mean, effective, num_failed
):
    found = samplers.weight_summary(tf.constant(log_weights, tf.float32)[:, None])
    assert found.log_mean.numpy() == pytest.approx([log_mean], nan_ok=True)
    assert found.effective_sample_size.numpy() == pytest.approx([effective])
    assert found.num_failed.numpy() == [num_failed]


@pytest.mark.parametrize("k", [-0.3, 0.0, 0.3, 0.7, 1.0, 2.0])
def test_shape_of_generalised_pareto_draws(k):
    """Their inverse cdf is (u^-k - 1) / k; the fit leans a little to 1/2, by its prior."""
    u = np.random.default_rng(0).random((5000, 200))
    draws = -np.log(u) if k == 0 else (u**-k - 1) / k
    found = samplers.pareto_shape(tf.constant(np.log(draws))).numpy()
    tail = 3 * 5000**0.5
    expected = (tail * k + 10 * 0.5) / (tail + 10)
    assert found.mean() == pytest.approx(expected, abs=0.06)
    assert found.std() < 2 * (1 + abs(k)) / tail**0.5
    # Of Pareto draws scaled and cut off below the tail, the same.
    moved = np.log(np.maximum(draws, np.quantile(draws, 0.5, 0))) + 700
    np.testing.assert_allclose(samplers.pareto_shape(tf.constant(moved)), found, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        ("tf.math.log1p(-theta", "tf.math.log1p(theta"),
        ("scaled[..., :-1] - scaled[..., -1:]", "scaled[..., :-1]"),
        ("- k - 1)", "+ k - 1)"),
    ],
    ids=["sign", "no threshold", "profile"],
)
def test_wrong_fits_are_rejected(change):
    u = np.random.default_rng(0).random((5000, 50))
    found = mutant("samplers.estimators", *change).pareto_shape(tf.constant(np.log(1 / u - 1)))
    assert not abs(found.numpy().mean() - 0.98) < 0.06


@pytest.mark.parametrize("log_weights", [np.zeros(24), np.zeros(30), np.full(30, -np.inf)])
def test_no_tail_no_shape(log_weights):
    """Of fewer than 25 weights, and of equal ones."""
    assert np.isnan(samplers.pareto_shape(tf.constant(log_weights)))
    assert np.isnan(samplers.weight_summary(tf.constant(log_weights)).pareto_k)


def test_leave_one_out_bounds():
    """The log of the mean weight, each one in turn replaced by the others' geometric mean."""
    log_weights = np.random.default_rng(0).standard_normal((4, 3)) * 5
    found = samplers.leave_one_out_bounds(tf.constant(log_weights))
    for k in range(4):
        others = np.delete(log_weights, k, 0)
        replaced = np.concatenate([others, [others.mean(0)]])
        np.testing.assert_allclose(found[k], np.log(np.exp(replaced).mean(0)), rtol=1e-12)
    same = tf.fill([3, 2], tf.constant(-700.0, tf.float64))  # of which none tells anything
    np.testing.assert_allclose(samplers.leave_one_out_bounds(same), same, rtol=1e-12)
