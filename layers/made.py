"""MADE: fully connected networks in which output k sees the inputs before k alone."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class MADE(keras.layers.Layer):
    """A masked network, [..., K] -> [..., n K], whose outputs k depend on inputs of lower degree.

    A hidden unit of degree m sees inputs of degree at most m, and an output of degree d sees hidden
    units of degrees below d (Germain, Gregor, Murray and Larochelle 2015, eqs. 12 and 13). What it
    is conditional on enters the first hidden layer unmasked; then there are units of degree 0, too,
    through which it reaches every output. Outputs are n blocks of K, and start at 0.

    Args:
      num_outputs: n, of each input.
      hidden: units of each hidden layer.
      activation: of the hidden layers.
      reverse: whether the inputs' degrees fall from K to 1, and do not rise from 1.
      seed: of the initial weights, Glorot uniform; layer k uses `seed + k`.
    """

    def __init__(
        self,
        num_outputs: int,
        hidden: Sequence[int] = (256, 256),
        *,
        activation: str = "elu",
        reverse: bool = False,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_outputs, self.hidden, self.reverse = num_outputs, tuple(hidden), reverse
        self.activation, self.seed = keras.activations.get(activation), seed

    @property
    def degrees(self) -> list[np.ndarray]:
        """Of the inputs, and of the units of each hidden layer."""
        inputs = np.arange(1, self._size + 1)
        # Up to K - 1, as evenly as they go: no unit is useless, and none sees the last input.
        least = 0 if self._has_context else 1
        units = [least + np.arange(n) * (self._size - least) // n for n in self.hidden]
        return [inputs[::-1] if self.reverse else inputs, *units]

    def build(self, input_shape, context_shape=None):
        self._size, self._has_context = input_shape[-1], context_shape is not None
        inputs, *units = self.degrees
        before = [inputs, *units]
        self.masks = [b[:, None] <= a for b, a in zip(before, units, strict=False)]
        outputs = np.tile(inputs, self.num_outputs)
        self.masks.append(before[-1][:, None] < outputs)
        self.kernels, self.biases = [], []
        for k, mask in enumerate(self.masks):
            last = k == len(self.masks) - 1
            start = "zeros" if last else keras.initializers.GlorotUniform(self.seed + k)
            self.kernels.append(
                self.add_weight(name=f"kernel_{k}", shape=mask.shape, initializer=start)
            )
            self.biases.append(
                self.add_weight(name=f"bias_{k}", shape=mask.shape[1:], initializer="zeros")
            )
        if self._has_context:
            shape = (context_shape[-1], self.hidden[0])
            start = keras.initializers.GlorotUniform(self.seed + len(self.masks))
            self.context_kernel = self.add_weight(
                name="context_kernel", shape=shape, initializer=start
            )

    def call(self, z, context=None):
        outputs = z
        for k, (kernel, bias, mask) in enumerate(
            zip(self.kernels, self.biases, self.masks, strict=True)
        ):
            outputs = tf.linalg.matmul(outputs, kernel * tf.cast(mask, z.dtype)) + bias
            if k == 0 and self._has_context:
                outputs += tf.linalg.matmul(context, self.context_kernel)
            if k < len(self.hidden):
                outputs = self.activation(outputs)
        return outputs

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return super().get_config() | {
            "num_outputs": self.num_outputs,
            "hidden": self.hidden,
            "activation": activation,
            "reverse": self.reverse,
            "seed": self.seed,
        }
