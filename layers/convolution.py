"""Convolutional encoders and decoders with seeded initial weights."""

from collections.abc import Sequence

import keras
import numpy as np

from layers.networks import mlp

KERNEL_SIZE = 5


def convolutional_encoder(
    shape: Sequence[int],
    channels: Sequence[int],
    hidden: Sequence[int],
    output_shape: Sequence[int],
    *,
    activation: str = "softplus",
    output_bias: np.ndarray | None = None,
    kernel_size: int = KERNEL_SIZE,
    stride: int = 2,
    pooling: bool = False,
    seed: int = 0,
    name: str | None = None,
) -> keras.Model:
    """A network of convolutions that halve an image each, and then of dense layers.

    With channels 16, 32, 32 and hidden (450,) it is the encoder of Salimans, Kingma and Welling
    (2015): images of 28 by 28 become maps of 14, 7 and 4.

    Args:
      shape: of an image, (height, width, channels).
      channels: of each convolution, 5 by 5 with stride 2.
      hidden: units of each dense hidden layer after them.
      output_shape: event shape of the outputs, which are linear.
      activation: of the hidden layers.
      output_bias: as `mlp`.
      kernel_size: side of each convolution's window, instead.
      stride: by which each makes its image smaller, instead.
      pooling: whether it does that by the maxima of squares, and not by steps.
      seed: of the initial weights, Glorot uniform.
      name: of the network.

    Returns:
      A Keras model, [N, *shape] -> [N, *output_shape].
    """
    inputs = outputs = keras.Input(tuple(shape))
    for k, filters in enumerate(channels):
        outputs = keras.layers.Conv2D(
            filters,
            kernel_size,
            1 if pooling else stride,
            "same",
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed + 100 + k),
        )(outputs)
        if pooling:
            outputs = keras.layers.MaxPooling2D(stride, padding="same")(outputs)
    head = mlp(
        outputs.shape[1:],
        hidden,
        output_shape,
        activation=activation,
        output_bias=output_bias,
        seed=seed,
        name="head",
    )
    return keras.Model(inputs, head(outputs), name=name)


def convolutional_decoder(
    latent_dim: int,
    hidden: Sequence[int],
    channels: Sequence[int],
    shape: Sequence[int],
    *,
    activation: str = "softplus",
    seed: int = 0,
    name: str | None = None,
) -> keras.Model:
    """The mirror image of `convolutional_encoder`, with the same arguments in reverse order.

    Args:
      latent_dim: number of inputs.
      hidden: units of each dense hidden layer.
      channels: of the maps, the smallest ones first, each of which a transposed convolution doubles
        and crops to the size that the encoder has there.
      shape: of an image, (height, width, channels).
      activation: of the hidden layers.
      seed: of the initial weights, Glorot uniform.
      name: of the network.

    Returns:
      A Keras model, [N, latent_dim] -> [N, *shape], whose outputs are linear.
    """
    sizes = [tuple(shape[:2])]
    for _ in channels:
        sizes.append(tuple(-(-size // 2) for size in sizes[-1]))
    *larger, smallest = sizes
    stem = mlp(
        (latent_dim,),
        hidden,
        (*smallest, channels[0]),
        activation=activation,
        seed=seed,
        name="stem",
    )
    inputs = keras.Input((latent_dim,))
    outputs = keras.layers.Activation(activation)(stem(inputs))
    below = (*channels[1:], shape[-1])
    for k, (filters, (height, width)) in enumerate(zip(below, reversed(larger), strict=True)):
        last = k == len(below) - 1
        outputs = keras.layers.Conv2DTranspose(
            filters,
            KERNEL_SIZE,
            2,
            "same",
            activation=None if last else activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed + 100 + k),
        )(outputs)
        more = outputs.shape[1] - height, outputs.shape[2] - width
        if any(more):
            outputs = keras.layers.Cropping2D(((0, more[0]), (0, more[1])))(outputs)
    return keras.Model(inputs, outputs, name=name)
