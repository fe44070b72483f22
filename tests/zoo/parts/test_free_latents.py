"""Free latents: the ball, and principal components to start at."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.parts.free_latents import pca_start, principal_directions, project_to_ball

RNG = np.random.default_rng(0)
X = RNG.random((40, 3, 4, 1)).astype(np.float32)


def test_the_ball():
    z = RNG.standard_normal((6, 5, 3)).astype(np.float32)
    inside = 0.9 * z / np.linalg.norm(z, axis=-1, keepdims=True)
    np.testing.assert_array_equal(project_to_ball(inside, 1.0), inside)
    outside = project_to_ball(4 * inside, 2.0)
    np.testing.assert_allclose(np.linalg.norm(outside, axis=-1), 2, rtol=1e-6)
    np.testing.assert_allclose(outside, inside * 2 / 0.9, rtol=1e-6)  # the same direction
    np.testing.assert_array_equal(project_to_ball(tf.zeros([2, 3]), 1.0), 0)


@pytest.mark.parametrize("num_rows", [40, 8])
def test_directions_are_those_of_a_singular_value_decomposition(num_rows):
    rows = X[:num_rows].reshape(num_rows, -1)
    mean, directions = principal_directions(rows, 4)
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-6)
    expected = np.linalg.svd(rows - rows.mean(0))[2][:4]
    signs = np.sign(np.sum(expected * directions, 1))
    np.testing.assert_allclose(directions, expected * signs[:, None], atol=1e-4)


def test_more_latents_than_directions():
    _, directions = principal_directions(X[:3].reshape(3, -1), 5)
    np.testing.assert_allclose(directions @ directions.T, np.diag([1, 1, 0, 0, 0]), atol=1e-9)


def test_the_start_is_that_of_numpy():
    rows = 2 * X.reshape(40, -1) - 1
    start = pca_start(zoo.data.as_data(X), np.zeros((40, 3)), 1000)
    _, directions = principal_directions(rows, 3)
    np.testing.assert_allclose(start, (rows - rows.mean(0)) @ directions.T, atol=1e-5)
    # Variances are those of the largest principal components: nothing is whitened.
    values = np.linalg.eigvalsh(np.cov(rows.T))[::-1][:3]
    np.testing.assert_allclose(start.var(0, ddof=1), values, rtol=1e-4)


def test_rows_are_those_of_the_examples(digits):
    """Of a shuffled pipeline of full batches; what an epoch leaves out stays."""
    kept = np.full((digits.num_examples["train"], 2), 7.0)
    start = pca_start(digits, kept, 500)
    seen = np.concatenate([batch["index"] for batch in digits.train])
    assert 0 < len(kept) - len(seen) < 50
    assert (start[np.setdiff1d(np.arange(len(kept)), seen)] == 7).all()
    assert (start[seen] != 7).all()
    first = next(iter(digits.train.skip(3)))
    rows = 2 * first["x"].numpy().reshape(50, -1) - 1
    distances = np.linalg.norm(rows[1:] - rows[0], axis=1)
    near = np.linalg.norm(np.diff(start[first["index"]][[0, 1 + distances.argmin()]], axis=0))
    assert near <= distances.min() + 1e-4  # a projection makes no distance larger


def test_where_there_is_nothing_to_look_at():
    start = np.ones((5, 2))
    for data in (X.shape[1:], tf.data.Dataset.from_tensor_slices(X).batch(4)):
        np.testing.assert_array_equal(pca_start(zoo.data.as_data(data), start, 10), start)
    np.testing.assert_array_equal(pca_start(zoo.data.as_data(X), start, 0), start)


def test_data_without_an_end():
    data = zoo.data.as_data(X)
    endless = zoo.data.Data(data.train.repeat(), None, None, data.fields, {"train": 40})
    np.testing.assert_array_equal(pca_start(endless, np.ones((40, 2)), 10), 1)
