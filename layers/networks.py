"""Fully connected networks with seeded initial weights."""

import math
from collections.abc import Sequence

import keras
import numpy as np


def mlp(
    input_shape: Sequence[int],
    hidden: Sequence[int],
    output_shape: Sequence[int] | None,
    *,
    activation: str = "softplus",
    layer_normalisation: bool = False,
    input_mean: np.ndarray | None = None,
    output_bias: np.ndarray | None = None,
    zero_output: bool = False,
    seed: int = 0,
    name: str | None = None,
) -> keras.Model:
    """A fully connected network with linear outputs, [N, *input_shape] -> [N, *output_shape].

    Args:
      input_shape: event shape of the input; flattened first.
      hidden: number of units of each hidden layer.
      output_shape: event shape of the output; None if the last hidden layer is the output.
      activation: Keras activation of the hidden layers.
      layer_normalisation: whether every hidden layer is normalised before its activation.
      input_mean: subtracted from the input, `input_shape`; nothing by default.
      output_bias: initial bias of the last layer, `output_shape` or a scalar; zeros by default.
      zero_output: whether the weights of the last layer start at zero.
      seed: of the initial weights, Glorot uniform; layer k uses `seed + k`.
      name: of the network.
    """
    inputs = keras.Input(tuple(input_shape))
    outputs = keras.layers.Flatten()(inputs)
    if input_mean is not None:
        outputs = keras.layers.Rescaling(1.0, offset=-np.ravel(input_mean))(outputs)
    for k, units in enumerate(hidden):
        outputs = keras.layers.Dense(
            units, kernel_initializer=keras.initializers.GlorotUniform(seed + k)
        )(outputs)
        if layer_normalisation:
            outputs = keras.layers.LayerNormalization()(outputs)
        outputs = keras.layers.Activation(activation)(outputs)
    if output_shape is None:
        return keras.Model(inputs, outputs, name=name)
    size = math.prod(output_shape)
    bias = np.broadcast_to(0.0 if output_bias is None else output_bias, output_shape).reshape(size)
    start = "zeros" if zero_output else keras.initializers.GlorotUniform(seed + len(hidden))
    last = keras.layers.Dense(size, kernel_initializer=start)
    outputs = keras.layers.Reshape(tuple(output_shape))(last(outputs))
    last.bias.assign(bias)
    return keras.Model(inputs, outputs, name=name)
