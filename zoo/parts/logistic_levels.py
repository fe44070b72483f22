"""The law of grey levels that the discretised logistic likelihood gives a pixel."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class LogisticLevels(tfd.Distribution):
    """Levels k / (levels - 1), each of which has the mass of a logistic law nearest to it.

    The lowest and the highest take the tails.

    Args:
      loc: location of the logistic law, in units of levels in [0, 1], [...].
      scale: of the law, a number in the same units.
      levels: how many there are.
    """

    def __init__(self, loc, scale, levels):
        parameters = dict(locals())
        self.loc, self.scale, self.levels = loc, scale, levels
        super().__init__(
            dtype=loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="DiscretisedLogistic",
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {
            "loc": tfp.util.ParameterProperties(),
            "scale": tfp.util.ParameterProperties(),
            "levels": tfp.util.ParameterProperties(event_ndims=None),
        }

    def _event_shape(self):
        return tf.TensorShape([])

    def _log_prob(self, x):
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(b - a)), at the ends of a level's cell.
        half = 0.5 / (self.levels - 1)
        below_upper = tf.math.log_sigmoid((x + half - self.loc) / self.scale)
        above_lower = tf.math.log_sigmoid((self.loc - x + half) / self.scale)
        inner = tf.math.log(-tf.math.expm1(-2 * half / self.scale))
        lowest, highest = x < half, x > 1 - half
        return (
            tf.where(highest, 0.0, below_upper)
            + tf.where(lowest, 0.0, above_lower)
            + tf.where(lowest | highest, 0.0, inner)
        )

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], tf.shape(self.loc)], 0)
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        u = tfp.random.sanitize_seed(seed)
        u = tf.random.stateless_uniform(shape, u, minval=tiny, dtype=self.dtype, alg="philox")
        x = self.loc + self.scale * (tf.math.log(u) - tf.math.log1p(-u))
        return tf.clip_by_value(tf.round(x * (self.levels - 1)) / (self.levels - 1), 0.0, 1.0)

    def _mean(self):
        # The sum over k of P(level > k), one level at a time: all at once need much memory, and so
        # does a gradient through the loop. Its slope in the location comes from the same loop.
        last = self.levels - 1
        scale = tf.stop_gradient(self.scale)

        @tf.custom_gradient
        def mean(loc):
            def add(k, total, slope):
                above = tf.sigmoid((loc - (tf.cast(k, self.dtype) + 0.5) / last) / scale)
                return k + 1, total + above, slope + above * (1 - above) / scale

            start = 0, tf.zeros_like(loc), tf.zeros_like(loc)
            _, total, slope = tf.while_loop(lambda k, *_: k < last, add, start)
            return total / last, lambda upstream: upstream * slope / last

        return mean(self.loc)
