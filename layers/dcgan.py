"""The generator of DCGAN (Radford, Metz and Chintala 2016)."""

from collections.abc import Sequence

import keras

_SMALLEST = 7  # the largest side of the first map


def dcgan_generator(
    event_shape: Sequence[int],
    latent_dim: int,
    *,
    width: int = 64,
    normalisation: bool = True,
    seed: int = 0,
    name: str | None = None,
) -> keras.Model:
    """A network from latents [N, latent_dim] to images in [-1, 1], [N, *event_shape].

    A dense layer gives maps of 4 by 4 (of images of 28 by 28, 7 by 7), which transposed
    convolutions of 4 by 4 with stride 2 double until they have the image's size, and halve in their
    channels; then tanh. With `width` of 64, images of 64 by 64 and latents of 128 it is the
    generator that Bojanowski et al. (2018) take. DCGAN normalises over the batch, which would make
    an image depend on others; here each image is normalised by itself, over all its features (Ba,
    Kiros and Hinton 2016), with a scale and a shift for each channel.

    Args:
      event_shape: of an image, (height, width, channels).
      latent_dim: number of inputs.
      width: channels of the largest map before the image.
      normalisation: whether hidden maps are normalised before their ReLU.
      seed: of the initial weights, N(0, 0.02^2).
      name: of the network.

    Returns:
      A Keras model.

    Raises:
      ValueError: for images whose sides are not 4 to 7 doubled some times.
    """
    shape = tuple(event_shape)
    doublings = 0
    while all(n % 2 ** (doublings + 1) == 0 and n >= 8 * 2**doublings for n in shape[:2]):
        doublings += 1
    base = [n // 2**doublings for n in shape[:2]]
    if len(shape) != 3 or not doublings or max(base) > _SMALLEST:
        raise ValueError(
            "event_shape must be (height, width, channels), with height and width of 4 to 7 that "
            f"are doubled once or more, such as 8, 28, 32 and 64; it was {shape}."
        )

    def normal(k):
        return keras.initializers.RandomNormal(0.0, 0.02, seed=seed + k)

    def activated(outputs):
        if normalisation:
            outputs = keras.layers.GroupNormalization(1)(outputs)
        return keras.layers.ReLU()(outputs)

    channels = [width * 2**k for k in reversed(range(doublings))]
    inputs = keras.Input((latent_dim,))
    outputs = keras.layers.Dense(base[0] * base[1] * channels[0], kernel_initializer=normal(0))(
        inputs
    )
    outputs = activated(keras.layers.Reshape((*base, channels[0]))(outputs))
    for k, filters in enumerate([*channels[1:], shape[-1]]):
        last = k == doublings - 1
        outputs = keras.layers.Conv2DTranspose(
            filters,
            4,
            2,
            "same",
            activation="tanh" if last else None,
            kernel_initializer=normal(k + 1),
        )(outputs)
        outputs = outputs if last else activated(outputs)
    return keras.Model(inputs, outputs, name=name)
