"""Counter-based randomness: a seed goes in, numbers come out, and nothing keeps a state.

A seed is an `int32[2]` tensor. `as_seed` makes one from a Python int, `fold_in` derives another
from it for every role, step and replica. The generator is named (Philox): the default one is more
than ten times slower in programs that XLA compiles for a CPU. Where noise is what a program mostly
does besides gradients, `noise_like` is seven times faster still.
"""

import zlib
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

Seed: TypeAlias = int | tf.Tensor


def as_seed(seed: Seed) -> tf.Tensor:
    """Makes a seed of a Python int.

    Args:
      seed: an int, Python's or NumPy's, or a tensor or array that already is a seed.

    Returns:
      The seed, int32[2].

    Raises:
      ValueError: if `seed` is neither.
    """
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        seed = int(seed)
        words = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
        return tf.constant([w - (w >> 31 << 32) for w in words], tf.int32)
    if tf.is_tensor(seed) or hasattr(seed, "dtype"):
        seed = tf.convert_to_tensor(seed)
        if seed.dtype.is_integer and seed.shape == (2,):
            return tf.cast(seed, tf.int32)
    raise ValueError(f"seed must be an int or an int32 tensor of shape [2]; it was {seed!r}.")


def fold_in(seed: Seed, *data: int | str | tf.Tensor) -> tf.Tensor:
    """Derives another seed.

    Args:
      seed: int or int32[2].
      *data: what the other seed is for, folded in one by one: roles (str) and counters (int, or
        an integer tensor []).

    Returns:
      The seed that follows from `seed` and `data`, int32[2].
    """
    seed = as_seed(seed)
    for value in data:
        if isinstance(value, str):
            value = zlib.crc32(value.encode()) & 0x7FFFFFFF
        seed = tf.random.fold_in(seed, tf.cast(value, tf.int32))
    return seed


def normal(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """Draws standard normal numbers by Philox.

    Args:
      shape: of the result.
      seed: int or int32[2].
      dtype: of the result.

    Returns:
      The numbers.
    """
    return tf.random.stateless_normal(shape, as_seed(seed), dtype=dtype, alg="philox")


def uniform(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """Draws uniform numbers in [0, 1) by Philox.

    Args:
      shape: of the result.
      seed: int or int32[2].
      dtype: of the result.

    Returns:
      The numbers.
    """
    return tf.random.stateless_uniform(shape, as_seed(seed), dtype=dtype, alg="philox")


def normal_like(state, seed: Seed, draw=normal):
    """Draws standard normal numbers in the shape and type of a state.

    Args:
      state: a tensor, or a list of tensors.
      seed: int or int32[2].
      draw: draws numbers of a shape from a seed in a dtype.

    Returns:
      The numbers in the structure of `state`.
    """
    parts = tf.nest.flatten(state)
    draws = [draw(tf.shape(p), fold_in(seed, i), p.dtype) for i, p in enumerate(parts)]
    return tf.nest.pack_sequence_as(state, draws)


def noise_like(state, seed: Seed):
    """Draws as `normal_like` does, but by Threefry and the inverse of the cdf where XLA compiles.

    XLA computes Philox and sines number by number on a CPU, but these in vectors. Other programs
    have no Threefry.

    Args:
      state: a tensor, or a list of tensors.
      seed: int or int32[2].

    Returns:
      Standard normal numbers in the structure of `state`.
    """
    return normal_like(state, seed, _inverse_normal if _compiled() else normal)


def fast_uniform(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """Draws as `uniform` does, but by Threefry where XLA compiles, as `noise_like` does.

    Args:
      shape: of the result.
      seed: int or int32[2].
      dtype: of the result.

    Returns:
      Uniform numbers in [0, 1).
    """
    alg = "threefry" if _compiled() else "philox"
    return tf.random.stateless_uniform(shape, as_seed(seed), dtype=dtype, alg=alg)


def _compiled() -> bool:
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _inverse_normal(shape, seed: tf.Tensor, dtype) -> tf.Tensor:
    spacing = np.finfo(dtype.as_numpy_dtype).eps  # of the uniform numbers, which begin with 0
    u = fast_uniform(shape, seed, dtype)
    return 2**0.5 * tf.math.erfinv(2 * u - (1 - spacing))
