"""Whether chains agree: split R-hat, of running moments, so that memory does not grow with steps.

Gelman, Carlin, Stern, Dunson, Vehtari and Rubin 2013, "Bayesian data analysis", section 11.4. Of
the transitions of a chain the first half is left out, and the rest is two sequences.
"""

from typing import Any, NamedTuple

import tensorflow as tf

FEWEST_STEPS = 7  # of which each sequence has two


class Halves(NamedTuple):
    """Running moments of what chains show, of both sequences.

    Attributes:
      mean: [2, S, ...] of each part of what is shown.
      squares: the sum of squared deviations from it, likewise.
    """

    mean: Any
    squares: Any


def no_halves(shown) -> Halves:
    """Makes the moments of nothing yet.

    Args:
      shown: tensors [S, ...], as chains show them where they start.

    Returns:
      The moments.
    """
    zeros = tf.nest.map_structure(lambda v: tf.stack([tf.zeros_like(v)] * 2), shown)
    return Halves(zeros, zeros)


def add_to_halves(halves: Halves, shown, i: tf.Tensor, num_steps: int | tf.Tensor) -> Halves:
    """Adds what chains show after a transition.

    Args:
      halves: the moments before.
      shown: tensors [S, ...].
      i: the number of the transition, from 0.
      num_steps: how many there will be.

    Returns:
      The moments with it.
    """
    length = _length(num_steps)
    place = i - (num_steps - 2 * length)  # below 0 in the first half, which is left out
    count = place % tf.maximum(length, 1) + 1
    is_own = (tf.range(2) == place // tf.maximum(length, 1)) & (place >= 0)

    def added(value, mean, squares):
        own = tf.reshape(is_own, [2] + [1] * (mean.shape.rank - 1))
        new_mean = mean + (value - mean) / tf.cast(count, mean.dtype)
        new_squares = squares + (value - mean) * (value - new_mean)
        return tf.where(own, new_mean, mean), tf.where(own, new_squares, squares)

    parts = [
        added(*part)
        for part in zip(*map(tf.nest.flatten, (shown, halves.mean, halves.squares)), strict=True)
    ]
    return Halves(*(tf.nest.pack_sequence_as(shown, p) for p in zip(*parts, strict=True)))


def split_r_hat(halves: Halves, num_steps: int | tf.Tensor) -> tf.Tensor:
    """Tells how well chains agree: near 1 where they do, and above 1.05 where they do not.

    It is the root of the variance over all sequences by the mean variance within them. Where a part
    of what is shown has more axes than the chains, its variances are added over them first.

    Args:
      halves: the moments of S chains, at least two, on the first axis: [2, S, B, ...].
      num_steps: how many transitions there were, at least 7.

    Returns:
      The largest over the parts, [B]; NaN of fewer transitions, or where one part's is NaN.
    """
    length = tf.cast(_length(num_steps), tf.float32)

    def r_hat(mean, squares):
        sizes = tf.shape(mean)
        num_sequences = sizes[0] * sizes[1]
        by_sequence = [num_sequences, sizes[2], tf.reduce_prod(sizes[3:])]
        mean, squares = (tf.reshape(v, by_sequence) for v in (mean, squares))
        within = tf.reduce_mean(squares, 0) / tf.cast(length - 1, squares.dtype)
        unbiased = num_sequences / (num_sequences - 1)
        between = tf.math.reduce_variance(mean, 0) * tf.cast(unbiased, mean.dtype)
        within, between = (tf.reduce_sum(v, -1) for v in (within, between))
        # Where nothing varies all agree.
        ratio = tf.where(between > 0, between / within, tf.zeros_like(between) * within)
        return tf.sqrt(tf.cast((length - 1) / length, ratio.dtype) + ratio)

    found = tf.stack(tf.nest.flatten(tf.nest.map_structure(r_hat, halves.mean, halves.squares)))
    # A maximum that XLA takes on a CPU passes over NaN.
    known = ~tf.reduce_any(tf.math.is_nan(found), 0) & (length >= 2)
    return tf.where(known, tf.reduce_max(found, 0), float("nan"))


def _length(num_steps):
    """Of each sequence."""
    return (num_steps - num_steps // 2) // 2
