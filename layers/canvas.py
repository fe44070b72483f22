"""A generator that draws an image in glimpses, each of which adds to a canvas."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from layers import attention
from layers.policy import made_by
from layers.recurrent import LSTM
from layers.scan import scan


class CanvasState(NamedTuple):
    """What a generator carries from glimpse to glimpse.

    Attributes:
      canvas: c_t, [N, ...event].
      hidden: of the recurrent network, [N, units].
      cell: the same.
    """

    canvas: tf.Tensor
    hidden: tf.Tensor
    cell: tf.Tensor


@keras.saving.register_keras_serializable("zoo")
class RecurrentCanvas(keras.Model):
    """The generator of DRAW, from noise [N, T K] to canvases c_T, such as logits of pixels.

    h_t = LSTM(z_t, h_{t-1}) and c_t = c_{t-1} + write(h_t), from c_0 = 0, with T latents z_t of
    size K, z_1 first in the vector (Gregor et al. 2015, eqs. 7 and 8). To write is a linear layer,
    or a patch of it through a window that a linear layer of h_t says (section 3.2).

    Args:
      event_shape: of an image, (height, width, channels).
      latent_dim: K.
      num_glimpses: T.
      units: of the recurrent network.
      write_size: filters along a side of the window; 0 to write on the whole image.
      seed: of the initial weights.
      **kwargs: `name`, and `dtype`, the policy of all its layers; None for that of Keras.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        latent_dim: int,
        num_glimpses: int,
        *,
        units: int = 256,
        write_size: int = 5,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # noise and canvases are not in half precision
        self.event_shape, self.num_glimpses = tuple(event_shape), num_glimpses
        self.latent_dims, self.write_size = (latent_dim,) * num_glimpses, write_size
        self.settings = {"units": units, "write_size": write_size, "seed": seed}
        size = attention.num_patch(write_size, event_shape)
        with made_by(self.dtype_policy):
            self.recurrent = LSTM(units, seed=seed, name="recurrent")
            self.patch = linear(size, seed + 1, "patch")
            self.where = linear(attention.NUM_PARAMETERS, seed + 2, "where") if write_size else None
        self(tf.zeros([1, latent_dim * num_glimpses], self.variable_dtype))

    @property
    def input_shape(self):
        return (None, sum(self.latent_dims))

    @property
    def output_shape(self):
        return (None, *self.event_shape)

    def start(self, size: int | tf.Tensor, dtype: str) -> CanvasState:
        """Returns the state before the first glimpse, of so many images."""
        return CanvasState(
            tf.zeros([size, *self.event_shape], dtype), *self.recurrent.start(size, dtype)
        )

    def step(self, state: CanvasState, z: tf.Tensor) -> CanvasState:
        """Makes one glimpse.

        Args:
          state: of N images.
          z: the glimpse's latents, [N, K].

        Returns:
          The state after it.
        """
        hidden, cell = self.recurrent(z, state.hidden, state.cell)
        shape = attention.patch_shape(self.write_size, self.event_shape)
        added = tf.cast(tf.reshape(self.patch(hidden), [-1, *shape]), z.dtype)
        if self.where is not None:
            added = attention.write(added, self.window(hidden), self.event_shape)
        return CanvasState(state.canvas + added, hidden, cell)

    def window(self, hidden: tf.Tensor) -> attention.Window:
        """Tells where a generator with a window writes.

        Args:
          hidden: after the glimpse, [..., units].

        Returns:
          The windows, [...] each.
        """
        parameters = tf.cast(self.where(hidden), hidden.dtype)
        return attention.window(parameters, self.write_size, *self.event_shape[:2])

    def call(self, noise):
        start = self.start(tf.shape(noise)[0], noise.dtype)
        last, _ = scan(lambda *given: (self.step(*given), ()), start, by_glimpse(self, noise))
        return last.canvas

    def get_config(self):
        shapes = {"event_shape": self.event_shape, "num_glimpses": self.num_glimpses}
        dtype = keras.dtype_policies.serialize(self.dtype_policy)
        shapes |= {"latent_dim": self.latent_dims[0]}
        return {"name": self.name, "dtype": dtype} | shapes | self.settings


class _OneGlimpse:
    """Any other network as a generator of one glimpse, with nothing to remember."""

    num_glimpses, write_size = 1, 0

    def __init__(self, network: keras.Model):
        self._network = network
        self.latent_dims = network.input_shape[1:]
        self.event_shape = network.output_shape[1:]
        self.settings = {"units": 1}

    def start(self, size, dtype):
        """As `RecurrentCanvas.start`."""
        nothing = tf.zeros([size, 1], dtype)
        return CanvasState(tf.zeros([size, *self.event_shape], dtype), nothing, nothing)

    def step(self, state, z):
        """As `RecurrentCanvas.step`."""
        return state._replace(canvas=state.canvas + tf.cast(self._network(z), z.dtype))


def in_glimpses(network: keras.Model) -> RecurrentCanvas | _OneGlimpse:
    """Returns a network as a generator in glimpses; any but a `RecurrentCanvas` has one."""
    return network if hasattr(network, "num_glimpses") else _OneGlimpse(network)


def by_glimpse(generator, vector: tf.Tensor) -> tf.Tensor:
    """Splits vectors [..., T K] of all latents, whose leading axes are merged: [T, N, K]."""
    size = generator.latent_dims[0]
    parts = tf.reshape(vector, [-1, generator.num_glimpses, size])
    if vector.shape[:-1].is_fully_defined():
        parts = tf.ensure_shape(parts, [math.prod(vector.shape[:-1]), *parts.shape[1:]])
    return tf.transpose(parts, [1, 0, 2])


def canvases(network: keras.Model, noise: tf.Tensor) -> tuple[tf.Tensor, attention.Window | None]:
    """Draws images and keeps every canvas.

    Args:
      network: a generator.
      noise: all latents, [N, T K].

    Returns:
      c_1 to c_T, [T, N, ...event], and the windows of their glimpses, [T, N] each; None of a
      generator without.
    """
    generator = in_glimpses(network)
    start = generator.start(tf.shape(noise)[0], noise.dtype)

    def step(state, z):
        state = generator.step(state, z)
        return state, (state.canvas, state.hidden)

    like = start.canvas, start.hidden
    _, (drawn, hidden) = scan(step, start, by_glimpse(generator, noise), like)
    return drawn, generator.window(hidden) if generator.write_size else None


def linear(units: int, seed: int, name: str, **kwargs) -> keras.layers.Dense:
    """Makes a linear layer whose initial weights are seeded."""
    start = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(units, kernel_initializer=start, name=name, **kwargs)
