"""Windows of Gaussian filters, through which parts of images are read and written.

Gregor, Danihelka, Graves, Rezende and Wierstra (2015), DRAW: A Recurrent Neural Network For Image
Generation, section 3.2. Pixels and filters are counted from 0 here, and from 1 there.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

_FLOOR = 1e-8  # of what rows of filters are divided by
_BOUND = 10.0  # of the numbers that say a window; far beyond, exponentials are not finite


class Window(NamedTuple):
    """Where the filters of a square window lie, and how wide they are; [N] each.

    Attributes:
      centre_y: the middle of the window, in pixels from the middle of the first row.
      centre_x: the same from the middle of the first column.
      stride: from one filter to the next, in pixels.
      variance: of each filter, in square pixels.
      intensity: by which what is read is multiplied.
    """

    centre_y: tf.Tensor
    centre_x: tf.Tensor
    stride: tf.Tensor
    variance: tf.Tensor
    intensity: tf.Tensor


NUM_PARAMETERS = len(Window._fields)


def window(parameters: tf.Tensor, size: int, height: int, width: int) -> Window:
    """Makes windows of what a linear layer gives (section 3.2, eqs. 21 to 24).

    Zeros are a window that spans the image, with filters of variance 1.

    Args:
      parameters: [..., 5]: the centre down and across, from -1 to 1 inside of the image, and the
        logarithms of the variance, of the stride by that of a window as wide as the longer side,
        and of the intensity. Whatever they are, the window is finite.
      size: n, filters along a side.
      height: of images, in pixels.
      width: of images, in pixels.

    Returns:
      The windows, [...] each.
    """
    bounded = tf.clip_by_value(parameters, -_BOUND, _BOUND)
    y, x, log_variance, log_stride, log_intensity = tf.unstack(bounded, axis=-1)
    return Window(
        centre_y=(height + 1) / 2 * (y + 1) - 1,
        centre_x=(width + 1) / 2 * (x + 1) - 1,
        stride=_widest(size, height, width) * tf.exp(log_stride),
        variance=tf.exp(log_variance),
        intensity=tf.exp(log_intensity),
    )


def start_parameters(size: int, height: int, width: int) -> list[float]:
    """Tells the parameters of a window that spans the image, and whose filters overlap.

    Their standard deviation is half a stride. With a variance of 1, as zeros give, filters that are
    far apart see little of a large image, and training may not find where to look. (What is written
    through such filters is blurred: DRAW starts with a variance of 1.)

    Args:
      size: n, filters along a side.
      height: of images, in pixels.
      width: of images, in pixels.

    Returns:
      Five numbers, as `window` takes them.
    """
    stride = _widest(size, height, width)
    return [0.0, 0.0, max(0.0, 2 * math.log(stride / 2)), 0.0, 0.0]


def _widest(size, height, width):
    """The stride of a window that spans the image, in pixels."""
    return (max(height, width) - 1) / max(size - 1, 1)  # of one filter there is none


def filterbank(
    centre: tf.Tensor, stride: tf.Tensor, variance: tf.Tensor, size: int, num_pixels: int
) -> tf.Tensor:
    """Makes the filters along one axis (eqs. 19, 20, 25 and 26).

    Args:
      centre: of the window along the axis, [N].
      stride: [N].
      variance: [N].
      size: n, filters.
      num_pixels: A, of the axis.

    Returns:
      [N, n, A], whose rows sum to 1 while they see the image, and to less where they do not.
    """
    offsets = tf.range(size, dtype=centre.dtype) - (size - 1) / 2
    means = centre[:, None] + offsets * stride[:, None]
    distances = tf.range(num_pixels, dtype=centre.dtype) - means[..., None]
    weights = tf.exp(-tf.square(distances) / (2 * variance[:, None, None]))
    return weights / tf.maximum(tf.reduce_sum(weights, -1, keepdims=True), _FLOOR)


def filterbanks(window: Window, size: int, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes the filters of windows.

    Args:
      window: [N] each.
      size: n, filters along a side.
      height: A, of images.
      width: B, of images.

    Returns:
      F_y [N, n, A] and F_x [N, n, B].
    """
    shared = window.stride, window.variance, size
    return filterbank(window.centre_y, *shared, height), filterbank(window.centre_x, *shared, width)


def read(images: tf.Tensor, window: Window, size: int) -> tf.Tensor:
    """Reads patches through windows, gamma F_y x F_x^T in each channel (eq. 27).

    Args:
      images: x, [N, A, B, channels].
      window: [N] each.
      size: n, filters along a side.

    Returns:
      [N, n, n, channels].
    """
    down, across = filterbanks(window, size, *images.shape[1:3])
    rows = tf.einsum("nia,nabc->nibc", down, images)
    return _times(window.intensity, tf.einsum("njb,nibc->nijc", across, rows))


def write(patches: tf.Tensor, window: Window, shape: Sequence[int]) -> tf.Tensor:
    """Writes patches through windows, F_y^T w F_x / gamma in each channel (eq. 29).

    Args:
      patches: w, [N, n, n, channels].
      window: [N] each.
      shape: of an image, (A, B, channels).

    Returns:
      [N, A, B, channels].
    """
    down, across = filterbanks(window, patches.shape[1], *shape[:2])
    rows = tf.einsum("nia,nijc->najc", down, patches)
    return _times(1 / window.intensity, tf.einsum("njb,najc->nabc", across, rows))


def _times(factor, images):
    return factor[:, None, None, None] * images


def corners(window: Window, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Tells what windows look like in a picture.

    Args:
      window: [...] each.
      size: n, filters along a side.

    Returns:
      The top and the left of the square on which the outer filters lie, the length of its side,
      (n - 1) strides, and the standard deviation of the filters, all in pixels, [...].
    """
    side = (size - 1) * window.stride
    return window.centre_y - side / 2, window.centre_x - side / 2, side, tf.sqrt(window.variance)


def patch_shape(size: int, event_shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the shape of what is read or written at once: all of an image where `size` is 0."""
    return (size, size, event_shape[-1]) if size else tuple(event_shape)


def num_patch(size: int, event_shape: Sequence[int]) -> int:
    """Returns how many numbers `patch_shape` holds."""
    return math.prod(patch_shape(size, event_shape))
