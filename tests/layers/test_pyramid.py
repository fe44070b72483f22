"""Laplacian pyramids: a separable blur, and images that come back from their levels."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import layers
from layers import pyramid

X = np.random.default_rng(0).random((2, 12, 8, 3)).astype(np.float32)


def by_hand(x):
    """A 5 by 5 Gaussian at each pixel of images that are mirrored at their edges."""
    weights = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    kernel = np.outer(weights, weights)
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], "symmetric")
    height, width = x.shape[1:3]
    return sum(
        kernel[i, j] / kernel.sum() * padded[:, i : i + height, j : j + width]
        for i in range(5)
        for j in range(5)
    )


def test_the_blur_is_a_gaussian_whose_sum_is_1():
    assert pyramid.blur_kernel().sum() == pytest.approx(1, abs=1e-12)
    means = by_hand(X).reshape(2, 6, 2, 4, 2, 3).mean((2, 4))
    np.testing.assert_allclose(pyramid.halve(X), means, atol=1e-6)
    # The authors' kernel is a sum in place of a product; the test tells.
    weights = pyramid.blur_kernel() ** 2
    summed = weights[:, None] + weights
    assert np.abs(summed / summed.sum() - np.outer(*2 * [pyramid.blur_kernel()])).max() > 0.01


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (1, 12, 28, 3)])
def test_one_grey_has_no_detail(shape):
    *bands, rest = layers.laplacian_pyramid(tf.fill(shape, 0.7), 3)
    np.testing.assert_allclose(rest, 0.7, atol=1e-6)
    for band in bands:
        np.testing.assert_allclose(band, 0, atol=1e-6)


def put_together(module, levels):
    """The images of a pyramid."""
    *bands, x = levels
    for band in reversed(bands):
        x = band + module.double(x)
    return x


def test_levels_give_the_image_back():
    levels = layers.laplacian_pyramid(X, 3)
    assert [level.shape[1:3] for level in levels] == [(12, 8), (6, 4), (3, 2)]
    np.testing.assert_allclose(put_together(pyramid, levels), X, atol=1e-6)
    (alone,) = layers.laplacian_pyramid(X, 1)
    np.testing.assert_array_equal(alone, X)


def test_a_pyramid_that_loses_something_is_noticed():
    wrong = mutant("layers.pyramid", "x - double(below)", "x - 0.9 * double(below)")
    error = put_together(wrong, wrong.laplacian_pyramid(X, 3)) - X
    assert np.abs(error).max() > 0.01


@pytest.mark.parametrize("shape", [(6, 8, 1), (8, 10, 1), (8, 8), (1, 1, 3)])
def test_sides_that_cannot_be_halved(shape):
    with pytest.raises(ValueError, match="3 levels needs images .* of sides that 4 divides"):
        layers.laplacian_pyramid(tf.zeros([1, *shape]), 3)
