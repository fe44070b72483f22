"""The posterior of DRAW, which looks at an image in glimpses, in step with the generator."""

import math

import keras
import tensorflow as tf

import layers
from layers import attention
from zoo.core.checks import UsageError, check_count, check_count_or_0, check_seed
from zoo.parts.gaussian_posteriors import StepwisePosterior
from zoo.parts.gaussians import StepwiseGaussian, gaussian_of


class GlimpsePosterior(StepwisePosterior):
    """The posterior prod_t N(mu_t, diag sigma_t^2) over all glimpses' latents, z_1 first.

    Before each glimpse it reads the image x and the error x - sigmoid(c_{t-1}) of the canvas, all
    of them or through a window that the generator's state h^dec_{t-1} says; h^enc_t =
    LSTM([read, h^dec_{t-1}], h^enc_{t-1}) says mu_t and log sigma_t (Gregor et al. 2015, eqs. 3 to
    6). Given z_1 to z_{t-1} all this is known, so that it scores any z. The features are x. What
    `propose_with_layers` tells of draws beside is the last canvas, c_T [S, B, ...event].

    Args:
      decoder: the generator, such as `layers.RecurrentCanvas`; a part of the model, not of this.
      units: of the recurrent network.
      read_size: filters along a side of the window; 0 to read the whole image.
      seed: of the initial weights.
      **kwargs: `name` and `dtype`.

    Raises:
      UsageError: for a number out of its range, or a window on what is no image.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        units: int = 256,
        read_size: int = 2,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_count(units=units)
        check_count_or_0(read_size=read_size)
        check_seed(seed=seed)
        generator = layers.in_glimpses(decoder)
        self._generator = lambda: generator  # not an attribute, or Keras would own it twice
        self._event_shape = tuple(generator.event_shape)
        if read_size and len(self._event_shape) != 3:
            raise UsageError(
                f"read_size must be 0 of what is no image; the decoder gives {self._event_shape}."
            )
        self.arguments = {"units": units, "read_size": read_size}
        size, told = generator.latent_dims[0], generator.settings["units"]
        of_parts = {"dtype": self.dtype}
        self.recurrent = layers.LSTM(units, seed=seed, name="recurrent", **of_parts)
        self.recurrent.build((None, 2 * attention.num_patch(read_size, self._event_shape) + told))
        if read_size:
            self.where = layers.linear(attention.NUM_PARAMETERS, seed + 1, "where", **of_parts)
            self.where.build((None, told))
        self.gaussian = layers.linear(2 * size, seed + 2, "gaussian", **of_parts)
        self.gaussian.build((None, units))
        self.built = True

    def check_encoder(self, encoder, latent_dim):
        size = math.prod(self._event_shape)
        if encoder.output_shape[1:] != (size,):
            raise UsageError(
                f"encoder must give {(size,)}, the image that is read in glimpses; it gives "
                f"{encoder.output_shape[1:]}."
            )
        return latent_dim

    def distribution(self, features):
        generator = self._generator()

        def walk(choose, vector):
            parts = layers.by_glimpse(generator, vector)
            num = tf.shape(parts)[1]
            repeated = tf.zeros_like(vector[..., :1]) + features
            x = tf.reshape(repeated, [num, *self._event_shape])

            def glimpse(state, part):
                drawn, seen = state
                seen = self.recurrent(tf.concat([self.read(x, drawn), drawn.hidden], -1), *seen)
                layer = gaussian_of(self.gaussian(seen[0]))
                mean, stddev = layer.mean(), layer.stddev()
                z = choose(mean, stddev, part)
                return (generator.step(drawn, z), seen), (z, mean, stddev)

            start = generator.start(num, x.dtype), self.recurrent.start(num, x.dtype)
            (drawn, _), told = layers.scan(glimpse, start, parts, (parts[0],) * 3)
            told = [tf.reshape(tf.transpose(t, [1, 0, 2]), tf.shape(vector)) for t in told]
            of_event = tf.constant(self._event_shape)
            return *told, tf.reshape(drawn.canvas, tf.concat([tf.shape(vector)[:-1], of_event], 0))

        return StepwiseGaussian(walk, generator.num_glimpses * generator.latent_dims[0], features)

    def read(self, x: tf.Tensor, state) -> tf.Tensor:
        """Reads an image and the error of the canvas, in one glimpse.

        Args:
          x: images, [N, ...event].
          state: of the generator before the glimpse.

        Returns:
          All that is seen, [N, n].
        """
        both = tf.stack([x, x - tf.sigmoid(state.canvas)], -1)
        size = self.arguments["read_size"]
        if size:
            images = tf.reshape(both, [-1, *self._event_shape[:2], 2 * self._event_shape[2]])
            both = attention.read(images, self.window(state.hidden), size)
        return tf.reshape(both, [-1, 2 * attention.num_patch(size, self._event_shape)])

    def window(self, hidden: tf.Tensor) -> attention.Window:
        """Tells where a posterior with a window reads, given h^dec_{t-1} [..., units]."""
        size = self.arguments["read_size"]
        return attention.window(self.where(hidden), size, *self._event_shape[:2])
