"""Schedules of inverse temperatures, 0 = b_0 <= ... <= b_T = 1, float64 tensors of shape [T + 1].

T is `num_increments`: the number of steps between temperatures, one less than their count.
"""

import tensorflow as tf


def linear_schedule(num_increments: int) -> tf.Tensor:
    """Spaces inverse temperatures equally.

    Args:
      num_increments: T.

    Returns:
      The inverse temperatures, float64, [T + 1].

    Raises:
      ValueError: if T is not a positive int.
    """
    _check(num_increments)
    return tf.linspace(tf.constant(0.0, tf.float64), 1.0, num_increments + 1)


def sigmoid_schedule(num_increments: int, sharpness: float = 4.0) -> tf.Tensor:
    """Crowds inverse temperatures at both ends, where the annealed density changes fastest.

    g_t = sigmoid(sharpness (2 t / T - 1)), shifted and scaled to run from 0 to 1 (Wu, Burda,
    Salakhutdinov and Grosse 2017, "On the quantitative analysis of decoder-based models").

    Args:
      num_increments: T.
      sharpness: the larger, the more they crowd.

    Returns:
      The inverse temperatures, float64, [T + 1].

    Raises:
      ValueError: if T is not a positive int.
    """
    g = tf.sigmoid(sharpness * (2 * linear_schedule(num_increments) - 1))
    # The ends are divided last, so that they are 0 and 1 to the last bit.
    return (g - g[0]) / (g[-1] - g[0])


def jump_schedule(num_increments: int) -> tf.Tensor:
    """Makes every move at the last density (Ding and Freedman 2020, section 2).

    Args:
      num_increments: T.

    Returns:
      The inverse temperatures 0, 1, ..., 1, float64, [T + 1].

    Raises:
      ValueError: if T is not a positive int.
    """
    _check(num_increments)
    return tf.constant([0.0] + [1.0] * num_increments, tf.float64)


def _check(num_increments: int) -> None:
    if not (isinstance(num_increments, int) and num_increments >= 1):
        raise ValueError(f"num_increments must be a positive int; it was {num_increments!r}.")
