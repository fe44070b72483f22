"""Counter-based randomness: a seed goes in, numbers come out, and nothing keeps a state.

A seed is an `int32[2]` tensor. `as_seed` makes one from a Python int, `fold_in` derives another
from it for every role, step and replica. The generator is named (Philox): the default one is more
than ten times slower in programs that XLA compiles for a CPU. Where noise is what a program mostly
does besides gradients, `noise_like` is seven times faster still.
"""

import zlib

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

Seed = int | tf.Tensor


def as_seed(seed: Seed) -> tf.Tensor:
    """The `int32[2]` seed meant by a Python int or by a tensor that already is one.

    Raises:
      ValueError: if `seed` is neither.
    """
    if isinstance(seed, int) and not isinstance(seed, bool):
        words = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
        return tf.constant([w - (w >> 31 << 32) for w in words], tf.int32)
    if tf.is_tensor(seed) or hasattr(seed, "dtype"):
        seed = tf.convert_to_tensor(seed)
        if seed.dtype.is_integer and seed.shape == (2,):
            return tf.cast(seed, tf.int32)
    raise ValueError(f"seed must be an int or an int32 tensor of shape [2]; it was {seed!r}.")


def fold_in(seed: Seed, *data: int | str | tf.Tensor) -> tf.Tensor:
    """The seed that follows from `seed` and each of `data` in turn: roles (str), counters (int)."""
    seed = as_seed(seed)
    for value in data:
        if isinstance(value, str):
            value = zlib.crc32(value.encode()) & 0x7FFFFFFF
        seed = tf.random.fold_in(seed, tf.cast(value, tf.int32))
    return seed


def normal(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """Standard normal numbers."""
    return tf.random.stateless_normal(shape, as_seed(seed), dtype=dtype, alg="philox")


def uniform(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """Uniform numbers in [0, 1)."""
    return tf.random.stateless_uniform(shape, as_seed(seed), dtype=dtype, alg="philox")


def normal_like(state, seed: Seed, draw=normal):
    """Standard normal numbers in the shape and type of `state`, a tensor or a list of tensors."""
    parts = tf.nest.flatten(state)
    draws = [draw(tf.shape(p), fold_in(seed, i), p.dtype) for i, p in enumerate(parts)]
    return tf.nest.pack_sequence_as(state, draws)


def noise_like(state, seed: Seed):
    """As `normal_like`; in programs that XLA compiles of Threefry, through the inverse of the cdf.

    XLA computes Philox and sines number by number on a CPU, but these in vectors. Other programs
    have no Threefry.
    """
    return normal_like(state, seed, _inverse_normal if _compiled() else normal)


def fast_uniform(shape, seed: Seed, dtype=tf.float32) -> tf.Tensor:
    """As `uniform`; in programs that XLA compiles of Threefry, for the reason of `noise_like`."""
    alg = "threefry" if _compiled() else "philox"
    return tf.random.stateless_uniform(shape, as_seed(seed), dtype=dtype, alg=alg)


def _compiled() -> bool:
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _inverse_normal(shape, seed: tf.Tensor, dtype) -> tf.Tensor:
    spacing = np.finfo(dtype.as_numpy_dtype).eps  # of the uniform numbers, which begin with 0
    u = fast_uniform(shape, seed, dtype)
    return 2**0.5 * tf.math.erfinv(2 * u - (1 - spacing))
