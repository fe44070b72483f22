"""The Jacobian of a fitted model: how many directions of its latents it uses (Hoffman 2017)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_count
from zoo.scores.standard_normal import num_latents


class Jacobian(NamedTuple):
    """Averages over the prior of J(z) = d E[x given z] / d z, of pixels in [0, 1].

    Attributes:
      mean: that of J, [D, K]. Opposite signs cancel: it is zero for a decoder that is even in z.
      gram: that of J^T J, [K, K], in which nothing cancels.
    """

    mean: np.ndarray
    gram: np.ndarray


class Spectrum(NamedTuple):
    """Directions of the latents in falling order of their effect on the image.

    Attributes:
      singular_values: those of the mean Jacobian, [K].
      rms_singular_values: square roots of the eigenvalues of the mean of J^T J, [K].
      rotation: right singular vectors of the mean Jacobian as columns, [K, K], orthogonal.
    """

    singular_values: np.ndarray
    rms_singular_values: np.ndarray
    rotation: np.ndarray


def jacobian(model, *, num_draws: int = 1000, chunk_size: int = 20, seed: Seed = 0) -> Jacobian:
    """Averages the Jacobian of the expected image over draws of the prior (Hoffman 2017).

    The expectation is that of `model.likelihood(z)`, so it includes a shear and a sigmoid. One
    compiled program differentiates forward, in all K directions at once: latents are few and
    pixels many.

    Args:
      model: a fitted model whose prior is N(0, I).
      num_draws: N, draws of z.
      chunk_size: draws at a time; memory grows with K chunk_size images.
      seed: int or int32[2].

    Returns:
      The averages, of pixels in [0, 1] per unit of z.

    Raises:
      UsageError: for another prior, or a count that is not positive.
    """
    check_count(num_draws=num_draws, chunk_size=chunk_size)
    size = num_latents(model)
    directions = tf.repeat(tf.eye(size, dtype=model.dtype)[:, None], chunk_size, axis=1)

    def add_chunk(start, mean, gram):
        key = samplers.fold_in(seed, "jacobian", start)
        z = samplers.normal([chunk_size, size], key, model.dtype)
        z = tf.repeat(z[None], size, axis=0)
        columns = _directional_derivative(model.expected, z, directions)
        columns = tf.reshape(tf.cast(columns, tf.float64), [size, chunk_size, -1])
        counts = tf.cast(start + tf.range(chunk_size) < num_draws, tf.float64)
        mean += tf.einsum("knd,n->dk", columns, counts)
        gram += tf.einsum("knd,lnd,n->kl", columns, columns, counts)
        return start + chunk_size, mean, gram

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run():
        num_pixels = int(np.prod(model.fields["x"].shape))
        mean = tf.zeros([num_pixels, size], tf.float64)
        gram = tf.zeros([size, size], tf.float64)
        return tf.while_loop(
            lambda start, *_: start < num_draws, add_chunk, (0, mean, gram), parallel_iterations=1
        )[1:]

    return Jacobian(*(total.numpy() / num_draws for total in run()))


def _directional_derivative(function, z, direction):
    """J v, the shape of `function(z)`: forward differentiation, as the reverse of the reverse.

    J^T u is linear in u, so that the gradient of v . J^T u with respect to u is J v, whatever u is.
    (`tf.autodiff.ForwardAccumulator` does the same op by op, and fails at `tf.ensure_shape`.)
    """
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(z)
            image = function(z)
        u = tf.zeros_like(image)
        outer.watch(u)
        pulled_back = inner.gradient(image, z, output_gradients=u)
    return outer.gradient(pulled_back, u, output_gradients=direction)


def spectrum(average: Jacobian) -> Spectrum:
    """Finds the directions of an average Jacobian.

    Args:
      average: what `jacobian` returned.

    Returns:
      The directions; singular values are in pixels in [0, 1] per unit of z.
    """
    num_pixels, size = average.mean.shape
    # A full basis of the latents, also where there are fewer pixels than latents.
    _, values, rotation = np.linalg.svd(average.mean, full_matrices=num_pixels < size)
    eigenvalues = np.linalg.eigvalsh(average.gram)[::-1]
    return Spectrum(
        singular_values=np.pad(values, (0, size - len(values))),
        rms_singular_values=np.sqrt(np.maximum(eigenvalues, 0.0)),
        rotation=rotation.T,
    )


def leading_directions(
    model,
    rotation: np.ndarray,
    num_kept: Sequence[int],
    *,
    num_draws: int = 50,
    num_averaged: int = 200,
    seed: Seed = 0,
) -> np.ndarray:
    """Expected images of prior draws of which only some directions are kept (Hoffman 2017).

    With z = V z', the first C coordinates of z' are kept and the image is averaged over fresh
    N(0, 1) values of the others: C = K is the image itself, C = 0 the average image of the model.

    Args:
      model: a fitted model whose prior is N(0, I).
      rotation: V, orthogonal, [K, K].
      num_kept: the numbers C, each from 0 to K.
      num_draws: draws of z.
      num_averaged: fresh values that each image is averaged over, the same for every C.
      seed: int or int32[2].

    Returns:
      Images [num_draws, len(num_kept), ...event], pixels in [0, 1].

    Raises:
      UsageError: for another prior, or a count out of its range.
    """
    check_count(num_draws=num_draws, num_averaged=num_averaged)
    size = num_latents(model)
    if any(not 0 <= c <= size for c in num_kept):
        raise UsageError(f"num_kept must lie between 0 and {size}; it was {list(num_kept)}.")
    rotation = tf.constant(rotation, tf.float32)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(kept):
        rotated = samplers.normal([num_draws, size], samplers.fold_in(seed, "kept"))
        fresh = samplers.normal([num_averaged, num_draws, size], samplers.fold_in(seed, "fresh"))
        rotated = tf.where(tf.range(size) < kept, rotated, fresh)
        z = tf.linalg.matmul(rotated, rotation, transpose_b=True)
        mean = tf.reduce_mean(tf.cast(model.expected(z), tf.float64), axis=0)
        return tf.cast(mean, tf.float32)

    return np.stack([run(tf.constant(c)).numpy() for c in num_kept], axis=1)
