"""The observation model of real vectors, such as the features that another model infers."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from zoo.core.checks import UsageError
from zoo.parts.likelihoods import Likelihood

tfd = tfp.distributions


@keras.saving.register_keras_serializable("zoo")
class FeatureLikelihood(Likelihood):
    """The observation model N(mu(z), diag sigma(z)^2) of real vectors of any range.

    The decoder gives mu and log sigma for each number, [..., D, 2].
    """

    def event_shape(self, outputs_shape):
        if len(outputs_shape) != 2 or outputs_shape[-1] != 2:
            raise UsageError(
                "decoder must give a mean and a log standard deviation for each feature, (D, 2); "
                f"it gives {outputs_shape}."
            )
        return outputs_shape[:-1]

    def outputs_shape(self, event_shape):
        return (*event_shape, 2)

    def distribution(self, outputs):
        mean, log_scale = tf.unstack(outputs, axis=-1)
        return tfd.Normal(mean, tf.exp(tf.clip_by_value(log_scale, -7.0, 5.0)))
