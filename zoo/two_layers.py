"""Two stochastic layers as one vector, so that samplers and scores need not know of them."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class TwoLayers(tfd.Distribution):
    """A diagonal Gaussian and another one given its draw: vectors [..., K_1 + K_2].

    Its `mean` and `stddev` are those of the part that is drawn first, and of the other given the
    first one's mean: scales for step sizes, not moments of the whole.

    Args:
      first: a Gaussian over the part that is drawn first.
      second: from a draw of the first part [..., K] to the Gaussian of the other part.
      sizes: K_1 and K_2, of the lower and the upper layer, which stand in this order.
      downwards: whether the upper layer is drawn first.
    """

    def __init__(
        self,
        first: tfd.Distribution,
        second: Callable[[tf.Tensor], tfd.Distribution],
        sizes: tuple[int, int],
        *,
        downwards: bool,
    ):
        parameters = dict(locals())
        self._first, self._second = first, second
        self._sizes, self._downwards = sizes, downwards
        super().__init__(
            dtype=first.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="two_layers",
        )

    def transform(self, noise: tf.Tensor) -> tf.Tensor:
        """The draw that standard normal `noise` [..., K_1 + K_2] makes."""
        first_noise, second_noise = self._split(noise)
        first = self._first.mean() + self._first.stddev() * first_noise
        second = self._second(first)
        return self._join(first, second.mean() + second.stddev() * second_noise)

    def _split(self, z):
        """The parts, in the order in which they are drawn."""
        parts = tf.split(z, self._sizes, axis=-1)
        return parts[::-1] if self._downwards else parts

    def _join(self, first, second):
        return tf.concat([second, first] if self._downwards else [first, second], -1)

    def _sample_n(self, n, seed=None):
        first_seed, second_seed = tfp.random.split_seed(seed)
        first = self._first.sample(n, first_seed)
        return self._join(first, self._second(first).sample(seed=second_seed))

    def _log_prob(self, z):
        first, second = self._split(z)
        return self._first.log_prob(first) + self._second(first).log_prob(second)

    def _mean(self):
        first = self._first.mean()
        return self._join(first, self._second(first).mean())

    def _stddev(self):
        first = self._first.mean()
        return self._join(self._first.stddev(), self._second(first).stddev())

    def _batch_shape(self):
        return self._first.batch_shape

    def _batch_shape_tensor(self, **_):
        return self._first.batch_shape_tensor()

    def _event_shape(self):
        return tf.TensorShape([sum(self._sizes)])

    def _event_shape_tensor(self):
        return tf.constant([sum(self._sizes)])
