"""Diagonal Gaussians, and several layers of them as one vector."""

from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


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


class SequentialGaussian(tfd.Distribution):
    """Gaussian layers drawn one after the other, each given those before: vectors [..., K].

    Its `mean` and `stddev` are those of the first layer, and of every other given the means before
    it: scales for step sizes, not moments of the whole.

    Args:
      walk: calls its argument once for each layer, in the order in which they are drawn, with the
        layer's diagonal Gaussian, and uses the latents [..., K_l] which that returns.
      sizes: K_l of the layers, in the order in which they stand in the vector.
      like: a tensor [..., n] that has the batch shape and the type of the distribution.
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
        parameters = dict(locals())
        self._walk, self._sizes, self._like = walk, list(sizes), like
        self._last_first = last_first
        super().__init__(
            dtype=like.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="sequential_gaussian",
        )

    def transform(self, noise: tf.Tensor) -> tf.Tensor:
        """Makes a draw of noise.

        Args:
          noise: standard normal numbers, [..., K].

        Returns:
          The draw, [..., K], through which a gradient flows.
        """
        parts = self._parts(noise)
        return self._join(lambda layer: layer.mean() + layer.stddev() * next(parts))

    def kl(self, z: tf.Tensor) -> tf.Tensor:
        """Sums over layers KL(layer given those before || N(0, I)).

        Args:
          z: the latents that layers are given, [..., K].

        Returns:
          Nats, [...], whose mean over draws z is the KL of the whole.
        """
        parts, terms = self._parts(z), []

        def given(layer):
            mean, stddev = layer.mean(), layer.stddev()
            term = tf.square(mean) + tf.square(stddev) - 1 - 2 * tf.math.log(stddev)
            terms.append(0.5 * tf.reduce_sum(term, -1))
            return next(parts)

        self._walk(given)
        return sum(terms)

    def _parts(self, z):
        """The layers of a vector, in the order in which they are drawn."""
        parts = tf.split(z, self._sizes, axis=-1)
        return iter(parts[::-1] if self._last_first else parts)

    def _join(self, choose):
        """The vector of what `choose` makes of each layer."""
        drawn = []

        def chosen(layer):
            drawn.append(choose(layer))
            return drawn[-1]

        self._walk(chosen)
        return tf.concat(drawn[::-1] if self._last_first else drawn, -1)

    def _sample_n(self, n, seed=None):
        seeds = iter(tfp.random.split_seed(seed, len(self._sizes)))
        drawn = []

        def draw(layer):
            # The first layer has the batch of the whole, the others the shape of what they follow.
            drawn.append(layer.sample(*([] if drawn else [n]), seed=next(seeds)))
            return drawn[-1]

        return self._join(draw)

    def _log_prob(self, z):
        parts, terms = self._parts(z), []

        def given(layer):
            part = next(parts)
            terms.append(layer.log_prob(part))
            return part

        self._walk(given)
        return sum(terms)

    def _mean(self):
        return self._join(lambda layer: layer.mean())

    def _stddev(self):
        scales = []

        def middle(layer):
            scales.append(layer.stddev())
            return layer.mean()

        self._walk(middle)
        return tf.concat(scales[::-1] if self._last_first else scales, -1)

    def _batch_shape(self):
        return self._like.shape[:-1]

    def _batch_shape_tensor(self, **_):
        return tf.shape(self._like)[:-1]

    def _event_shape(self):
        return tf.TensorShape([sum(self._sizes)])

    def _event_shape_tensor(self):
        return tf.constant([sum(self._sizes)])
