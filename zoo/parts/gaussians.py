"""Gaussians: diagonal, several that are drawn one after the other, and fitted to vectors."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed

tfd = tfp.distributions
Walk = Callable[[Callable, tf.Tensor], Sequence[tf.Tensor]]


def diagonal_gaussian(mean: tf.Tensor, stddev: tf.Tensor) -> tfd.Distribution:
    """Makes N(mean, diag stddev^2) over the last axis.

    It is not TFP's MultivariateNormalDiag, whose bijectors keep every graph that they were used in.

    Args:
      mean: [..., K].
      stddev: [..., K].

    Returns:
      The distribution, whose event shape is [K].
    """
    return tfd.Independent(tfd.Normal(mean, stddev), 1)


def gaussian_of(outputs: tf.Tensor) -> tfd.Distribution:
    """Makes the diagonal Gaussian that a network's outputs say.

    Args:
      outputs: mu and then log sigma, [..., 2 K].

    Returns:
      N(mu, diag sigma^2), whose event shape is [K].
    """
    mean, log_scale = tf.split(outputs, 2, axis=-1)
    return diagonal_gaussian(mean, tf.exp(tf.clip_by_value(log_scale, -7.0, 5.0)))


class StepwiseGaussian(tfd.Distribution):
    """Gaussians drawn one after the other, each given those before: vectors [..., K].

    Its `mean` and `stddev` are those of the first one, and of every other given the means before
    it: scales for step sizes, not moments of the whole.

    Args:
      walk: takes a function and a vector [..., K], and calls the function for each Gaussian, in the
        order in which they are drawn, with its mean, its standard deviation and its part of the
        vector; what that returns are its latents. Gives the latents, the means and the deviations
        of all, [..., K] each, and what else there is to know at its end.
      size: K.
      like: a tensor [..., n] that has the batch shape and the type of the distribution.
    """

    def __init__(self, walk: Walk, size: int, like: tf.Tensor):
        parameters = dict(locals())
        self._walk, self._size, self._like = walk, size, like
        super().__init__(
            dtype=like.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="stepwise_gaussian",
        )

    def drawn(self, noise: tf.Tensor) -> tuple:
        """Makes a draw of noise, in one walk.

        Args:
          noise: standard normal numbers, [..., K].

        Returns:
          The draw, [..., K], through which a gradient flows, `given` of it, and what else the walk
          gives.
        """
        z, mean, stddev, *more = self._walk(lambda mean, stddev, part: mean + stddev * part, noise)
        return z, diagonal_gaussian(mean, stddev), *more

    def given(self, z: tf.Tensor) -> tfd.Distribution:
        """Makes the Gaussians of latents that those before them are given.

        Args:
          z: the latents, [..., K].

        Returns:
          All of them as one, whose log density at z is that of the whole.
        """
        z = tf.convert_to_tensor(z, self.dtype)
        _, mean, stddev, *_ = self._walk(lambda mean, stddev, part: part, z)
        return diagonal_gaussian(mean, stddev)

    def transform(self, noise: tf.Tensor) -> tf.Tensor:
        """As `drawn`, the draw alone."""
        return self.drawn(noise)[0]

    def kl(self, z: tf.Tensor) -> tf.Tensor:
        """Sums over latents KL(each given those before || N(0, 1)).

        Args:
          z: the latents that they are given, [..., K].

        Returns:
          Nats, [...], whose mean over draws z is the KL of the whole.
        """
        return tf.reduce_sum(kl_to_standard_normal(self.given(z)), -1)

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], self._batch_shape_tensor(), self._event_shape_tensor()], 0)
        seed = tfp.random.sanitize_seed(seed)
        return self.transform(tf.random.stateless_normal(shape, seed, dtype=self.dtype))

    def _log_prob(self, z):
        return self.given(z).log_prob(z)

    def _mean(self):
        return self.transform(self._no_noise())

    def _stddev(self):
        return self.drawn(self._no_noise())[1].stddev()

    def _no_noise(self):
        return tf.repeat(tf.zeros_like(self._like[..., :1]), self._size, axis=-1)

    def _batch_shape(self):
        return self._like.shape[:-1]

    def _batch_shape_tensor(self, **_):
        return tf.shape(self._like)[:-1]

    def _event_shape(self):
        return tf.TensorShape([self._size])

    def _event_shape_tensor(self):
        return tf.constant([self._size])


class SequentialGaussian(StepwiseGaussian):
    """The same of a few layers, each of its own size.

    Args:
      walk: calls its argument once for each layer, in the order in which they are drawn, with the
        layer's diagonal Gaussian, and uses the latents [..., K_l] which that returns.
      sizes: K_l of the layers, in the order in which they stand in the vector.
      like: as the base.
      last_first: whether the last part of the vector is drawn first.
    """

    def __init__(
        self,
        walk: Callable[[Callable[[tfd.Distribution], tf.Tensor]], None],
        sizes: Sequence[int],
        like: tf.Tensor,
        *,
        last_first: bool = False,
    ):
        order = slice(None, None, -1 if last_first else 1)

        def walk_all(choose, vector):
            parts = iter(tf.split(vector, list(sizes), axis=-1)[order])
            told = []

            def chosen(layer):
                mean, stddev = layer.mean(), layer.stddev()
                z = choose(mean, stddev, next(parts))
                blank = tf.zeros_like(mean) + tf.zeros_like(z)  # the first layer has fewer axes
                told.append([value + blank for value in (z, mean, stddev)])
                return z

            walk(chosen)
            return [tf.concat(values, -1) for values in zip(*told[order], strict=True)]

        super().__init__(walk_all, sum(sizes), like)


class FittedGaussian(NamedTuple):
    """A Gaussian with the moments of some vectors; `fitted_gaussian` makes it.

    Attributes:
      mean: [K].
      root: lower triangular, [K, K]; the covariance is root root^T.
    """

    mean: tf.Tensor
    root: tf.Tensor

    def sample(self, shape: Sequence[int], seed: Seed) -> tf.Tensor:
        """Draws vectors.

        Args:
          shape: how many.
          seed: int or int32[2].

        Returns:
          The draws, [*shape, K].
        """
        shape = tf.concat([shape, tf.shape(self.mean)], 0)
        noise = samplers.normal(shape, seed, self.mean.dtype)
        return self.mean + tf.linalg.matvec(self.root, noise)


def fitted_gaussian(vectors: tf.Tensor) -> FittedGaussian:
    """Fits a Gaussian with a full covariance, in double precision.

    Where the vectors have no full rank a billionth of their mean variance is added to each
    direction, so that the root is always there.

    Args:
      vectors: [N, K].

    Returns:
      The Gaussian with their mean and their unbiased covariance, of their type.
    """
    rows = tf.cast(vectors, tf.float64)
    mean = tf.reduce_mean(rows, 0)
    degrees = tf.cast(tf.maximum(tf.shape(rows)[0] - 1, 1), tf.float64)
    covariance = tf.matmul(rows - mean, rows - mean, transpose_a=True) / degrees
    variances = tf.linalg.diag_part(covariance)
    least = 1e-9 * tf.reduce_mean(variances) + 1e-30
    root = tf.linalg.cholesky(tf.linalg.set_diag(covariance, variances + least))
    return FittedGaussian(tf.cast(mean, vectors.dtype), tf.cast(root, vectors.dtype))


def kl_to_standard_normal(gaussian: tfd.Distribution) -> tf.Tensor:
    """Computes KL(N(mean, stddev^2) || N(0, 1)), which is 0 for mean 0 and stddev 1.

    Args:
      gaussian: a diagonal one, [..., K].

    Returns:
      Nats of each of its latents, [..., K].
    """
    mean, stddev = gaussian.mean(), gaussian.stddev()
    return 0.5 * (tf.square(mean) + tf.square(stddev) - 1) - tf.math.log(stddev)
