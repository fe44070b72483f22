"""The Gaussian with the moments of some vectors, whatever their rank."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.parts.gaussians import fitted_gaussian

ROWS = np.random.default_rng(0).standard_normal((20, 4)) @ np.diag([1, 0.1, 0.01, 3.0]) + 5


def test_moments_are_those_of_numpy():
    fitted = fitted_gaussian(tf.constant(ROWS, tf.float32))
    assert fitted.mean.dtype == fitted.root.dtype == tf.float32
    np.testing.assert_allclose(fitted.mean, ROWS.mean(0), rtol=1e-6)
    covariance = np.cov(ROWS.T)
    np.testing.assert_allclose(fitted.root @ tf.transpose(fitted.root), covariance, atol=1e-5)


@pytest.mark.parametrize("num_rows", [1, 2, 3])
def test_fewer_vectors_than_directions(num_rows):
    """Draws stay where the vectors are."""
    rows = ROWS[:num_rows]
    fitted = fitted_gaussian(tf.constant(rows))
    drawn = fitted.sample([50], 3).numpy() - rows.mean(0)
    others = np.linalg.svd(rows - rows.mean(0))[2][max(num_rows - 1, 0) :]
    assert np.isfinite(drawn).all() and np.abs(drawn @ others.T).max() < 1e-3
    assert fitted.sample([7, 3], 3).shape == (7, 3, 4)
