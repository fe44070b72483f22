"""A network that gives the same, whatever it is shown."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class Constant(keras.layers.Layer):
    """Gives learned numbers, [N, ...] -> [N, F]: a posterior of them is shared by all examples.

    Args:
      start: what they are at the start, [F].
    """

    def __init__(self, start: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        self.start = [float(value) for value in np.ravel(start)]

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(len(self.start),), initializer="zeros")
        self.bias.assign(self.start)

    def call(self, inputs):
        bias = tf.convert_to_tensor(self.bias)
        return tf.repeat(bias[None], tf.shape(inputs)[0], axis=0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.start))

    def get_config(self):
        return super().get_config() | {"start": self.start}


def constant(input_shape: Sequence[int], start: np.ndarray, name: str | None = None):
    """A network of that layer alone.

    Args:
      input_shape: event shape of the input, which is not looked at.
      start: as `Constant`.
      name: of the network.

    Returns:
      A Keras model, [N, *input_shape] -> [N, F].
    """
    inputs = keras.Input(tuple(input_shape))
    return keras.Model(inputs, Constant(start)(inputs), name=name)
