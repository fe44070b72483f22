"""The prior of features whose classes and styles a model explains."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.latent import LatentVariableModel

tfd = tfp.distributions


class FeaturePrior(tfd.Distribution):
    """p(z_1, z_2) = p(z_2) p(z_1 given y, z_2), with y summed out or given: vectors [K_1 + K_2].

    Its `stddev` is 1, a scale for step sizes.

    Args:
      classes: the model of classes and styles z_2 of some units of z_1.
      units: their numbers; the others are N(0, 1).
      num_features: K_1.
      y: labels [B], -1 where there is none, given which densities are joint ones; None for none,
        and the batch shape [].
    """

    def __init__(
        self,
        classes: LatentVariableModel,
        units: Sequence[int],
        num_features: int,
        y: tf.Tensor | None = None,
    ):
        parameters = dict(locals())
        self._classes, self._units, self._num_features = classes, list(units), num_features
        self._y = tf.constant(-1) if y is None else y
        super().__init__(
            dtype=tf.as_dtype(classes.dtype),
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,  # a density that chains can follow
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="feature_prior",
        )

    def _sample_n(self, n, seed=None):
        seeds = [samplers.fold_in(seed, role) for role in ("style", "others", "features")]
        shape = tf.concat([[n], self._batch_shape_tensor()], 0)
        z_2 = self._classes.prior.sample(shape, seeds[0])
        others = samplers.normal(tf.concat([shape, [self._num_features]], 0), seeds[1], self.dtype)
        drawn = self._classes.likelihood_given(z_2, self._y).sample(seed=seeds[2])
        return tf.concat([replaced(others, drawn, self._units), z_2], -1)

    def _log_prob(self, z):
        z_1, z_2 = tf.split(z, [self._num_features, self._classes.latent_dim], -1)
        explained = {"x": tf.gather(z_1, self._units, axis=-1), "y": self._y}
        others = np.setdiff1d(np.arange(self._num_features), self._units)
        rest = tf.gather(z_1, others, axis=-1)
        log_prob = tfd.Normal(tf.zeros((), self.dtype), tf.ones((), self.dtype)).log_prob(rest)
        return self._classes.log_joint(explained, z_2) + tf.reduce_sum(log_prob, -1)

    def _stddev(self):
        shape = tf.concat([self._batch_shape_tensor(), self._event_shape_tensor()], 0)
        return tf.ones(shape, self.dtype)

    def _batch_shape(self):
        return self._y.shape

    def _batch_shape_tensor(self, **_):
        return tf.shape(self._y)

    def _event_shape(self):
        return tf.TensorShape([self._num_features + self._classes.latent_dim])

    def _event_shape_tensor(self):
        return tf.constant([self._num_features + self._classes.latent_dim])


def replaced(z: tf.Tensor, values: tf.Tensor, units: Sequence[int]) -> tf.Tensor:
    """Exchanges some units of vectors.

    Args:
      z: [..., K].
      values: theirs, [..., U].
      units: their numbers, U.

    Returns:
      The vectors, [..., K].
    """
    places = np.eye(z.shape[-1], dtype=z.dtype.as_numpy_dtype)[list(units)]
    return z * (1 - places.sum(0)) + tf.tensordot(values, places, 1)
