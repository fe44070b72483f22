"""Laplacian pyramids of images: bands of detail, each half as large as the one before.

Burt and Adelson (1983), "The Laplacian pyramid as a compact image code".
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def blur_kernel(sigma: float = 1.0) -> np.ndarray:
    """Returns the five weights of a Gaussian with standard deviation `sigma`, whose sum is 1."""
    weights = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    return weights / weights.sum()


def halve(x: tf.Tensor) -> tf.Tensor:
    """Blurs images and takes the means of squares of 2 by 2: [N, h, w, C] to [N, h/2, w/2, C].

    The blur is a 5 by 5 Gaussian, the product of one along each side. Beyond its edge an image is
    mirrored, so that one of a single grey stays what it is.
    """
    return _along_sides(x, lambda size: _repeating(size // 2).T / 2 @ _blurring(size))


def double(x: tf.Tensor) -> tf.Tensor:
    """Repeats each pixel 2 by 2 times and blurs: [N, h, w, C] to [N, 2 h, 2 w, C]."""
    return _along_sides(x, lambda size: _blurring(2 * size) @ _repeating(size))


def _along_sides(x, matrix):
    """Applies a linear map, a matrix of so many columns, along both sides of images."""
    rows, columns = (tf.constant(matrix(size), x.dtype) for size in x.shape[1:3])
    return tf.einsum("ih,nhwc,jw->nijc", rows, x, columns)


def _blurring(size):
    padded = np.pad(np.eye(size), [(2, 2), (0, 0)], "symmetric")
    return sum(weight * padded[k : k + size] for k, weight in enumerate(blur_kernel()))


def _repeating(size):
    return np.repeat(np.eye(size), 2, axis=0)


def laplacian_pyramid(x: tf.Tensor, num_levels: int) -> list[tf.Tensor]:
    """Takes images apart into what each halving loses, and what is left.

    Args:
      x: [N, height, width, channels], of sides that 2^(num_levels - 1) divides.
      num_levels: of the pyramid; with 1 it is the images themselves.

    Returns:
      The levels, [N, height / 2^j, width / 2^j, channels] for j from 0 on.

    Raises:
      ValueError: for other sides.
    """
    check_halves(x.shape[1:], num_levels)
    levels = []
    for _ in range(num_levels - 1):
        below = halve(x)
        levels.append(x - double(below))
        x = below
    return [*levels, x]


def check_halves(event_shape: Sequence[int], num_levels: int) -> None:
    """Refuses images that cannot be halved so often.

    Args:
      event_shape: of an image, (height, width, channels).
      num_levels: of the pyramid.

    Raises:
      ValueError: naming sides that would do.
    """
    step = 2 ** (num_levels - 1)
    sides = event_shape[:2]
    if len(event_shape) != 3 or any(side % step or side < 2 * (step > 1) for side in sides):
        raise ValueError(
            f"a pyramid of {num_levels} levels needs images (height, width, channels) of sides "
            f"that {step} divides; theirs were {tuple(event_shape)}."
        )
