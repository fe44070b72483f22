"""Observation models p(x given z): what a decoder's outputs mean, in pixels in [0, 1]."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.checks import UsageError, check_count, check_flag, check_positive
from zoo.core.networks import check_reach
from zoo.parts.logistic_levels import LogisticLevels
from zoo.parts.part import Part, make_part

tfd = tfp.distributions


class Likelihood(Part):
    """The base of laws of independent pixels, given the outputs of a decoder of the same shape.

    Attributes:
      levels: grey levels that a pixel can have; None where it is a real number.
      outputs: what it takes of a decoder, a noun.
      reach: from where to where a decoder's outputs must be able to go; None for no matter.
    """

    levels: int | None = None
    outputs = "outputs"
    reach: tuple[float, float] | None = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True  # or Keras would build the whole model by a call of its own

    def preprocess(self, x: tf.Tensor, seed: samplers.random.Seed) -> tf.Tensor:
        """Makes what the model explains of pixels; here it is the pixels themselves.

        Args:
          x: pixels in [0, 1], of any shape.
          seed: int or int32[2].

        Returns:
          A tensor of the same shape.
        """
        return x

    def check_decoder(self, decoder: keras.Model) -> None:
        """Refuses a decoder whose last activation keeps outputs from where they must go.

        Args:
          decoder: of known shapes.

        Raises:
          UsageError: naming the layer and what to do.
        """
        if self.reach is not None:
            check_reach(
                decoder, self.reach, f"{self.outputs} for the likelihood {type(self).__name__}"
            )

    def event_shape(self, outputs_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Tells the shape of x, given that of a decoder's outputs, which is the same here."""
        return outputs_shape

    def outputs_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Tells the shape of a decoder's outputs, given that of x; the inverse of `event_shape`."""
        return event_shape

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Makes the law of independent pixels.

        Args:
          outputs: of the decoder, of any shape.

        Returns:
          The distribution, whose batch shape is that of the outputs.
        """
        raise NotImplementedError

    def draw(self, outputs: tf.Tensor, seed: samplers.random.Seed) -> tf.Tensor:
        """Draws pixels, by a generator that is fast also where XLA compiles if they are binary.

        Args:
          outputs: of the decoder, of any shape.
          seed: int or int32[2].

        Returns:
          The draws, in the shape of the outputs.
        """
        return self.distribution(outputs).sample(seed=seed)

    def outputs_for_mean(self, mean: np.ndarray) -> np.ndarray:
        """Inverts the mean.

        Args:
          mean: pixels in [0, 1], of any shape.

        Returns:
          Outputs of a decoder given which the expected pixels are `mean`, or near to it.
        """
        raise NotImplementedError

    def scheduled_state(self, step: tf.Tensor) -> list[tuple]:
        """Tells what is annealed after so many training steps; here nothing is.

        Args:
          step: their number.

        Returns:
          (variable, new value) pairs.
        """
        return []

    def bits_per_dim(self, log_likelihood: float, num_dims: int) -> float | None:
        """Converts a log-likelihood of an image in nats.

        Args:
          log_likelihood: nats.
          num_dims: pixels times channels.

        Returns:
          Bits per dimension: for a discrete likelihood the code length of its levels, for a density
          of pixels with uniform noise in each level a bound on it (Theis, van den Oord and Bethge
          2016, sec. 3.1); None without levels.
        """
        return None if self.levels is None else -log_likelihood / (num_dims * math.log(2))


@keras.saving.register_keras_serializable("zoo")
class Bernoulli(Likelihood):
    """The observation model of binary pixels; the decoder gives logits.

    Grey levels in [0, 1] are the probabilities from which binary images are drawn: training draws
    anew at every step (dynamic binarisation, as Burda, Grosse and Salakhutdinov 2016).
    """

    levels = 2
    outputs = "logits"
    reach = (-5.0, 5.0)  # probabilities of less than a percent

    def preprocess(self, x, seed):
        """Draws binary images from grey levels; binary images stay what they are."""
        return tf.cast(samplers.uniform(tf.shape(x), seed, x.dtype) < x, x.dtype)

    def distribution(self, outputs):
        return tfd.Bernoulli(logits=outputs, dtype=outputs.dtype)

    def draw(self, outputs, seed):
        uniform = samplers.fast_uniform(tf.shape(outputs), seed, outputs.dtype)
        return tf.cast(uniform < tf.sigmoid(outputs), outputs.dtype)

    def outputs_for_mean(self, mean):
        mean = np.clip(mean, 1e-3, 1 - 1e-3)  # a pixel that never changes has no logit
        return np.log(mean / (1 - mean))


class _LocationScale(Likelihood):
    """The base of laws of pixels about a mean that the decoder gives, with one scale for all.

    Means and scale are in units of images mapped to [-1, 1].

    Args:
      scale: of the noise; where it starts, if it is learned.
      learn_scale: whether the scale is trained with the decoder.
    """

    outputs = "means in [-1, 1]"
    reach = (-1.0, 1.0)

    def __init__(self, scale: float = 0.1, learn_scale: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_positive(scale=scale)
        check_flag(learn_scale=learn_scale)
        self.initial_scale, self.learn_scale = scale, learn_scale
        self.log_scale = self.add_weight(
            name="log_scale",
            shape=(),
            initializer=keras.initializers.Constant(math.log(scale)),
            trainable=learn_scale,
        )

    def outputs_for_mean(self, mean):
        return 2 * mean - 1

    @property
    def scale(self) -> tf.Tensor:
        """Of the noise, in units of images in [-1, 1]."""
        return tf.exp(tf.convert_to_tensor(self.log_scale))

    def get_config(self):
        config = {"scale": self.initial_scale, "learn_scale": self.learn_scale}
        return super().get_config() | config


@keras.saving.register_keras_serializable("zoo")
class Gaussian(_LocationScale):
    """The observation model of real pixels with Gaussian noise.

    The density is one over pixels in [0, 1]: the Jacobian of the map to [-1, 1], 2 per pixel, is
    in it.

    Args:
      scale: standard deviation, in units of images in [-1, 1]; where it starts, if it is learned.
      learn_scale: whether it is trained with the decoder.
      levels: if given, images of so many grey levels get uniform noise about each level, as wide
        as the distance of two, anew in every training step, so that the density bounds the bits per
        pixel.
      annealed_from: if given, training begins with this scale and anneals it to `scale`, linearly.
      annealing_steps: training steps that this takes.
    """

    def __init__(
        self,
        scale: float = 0.1,
        learn_scale: bool = False,
        levels: int | None = None,
        annealed_from: float | None = None,
        annealing_steps: int = 10_000,
        **kwargs,
    ):
        super().__init__(scale, learn_scale, **kwargs)
        self.levels = levels if levels is None else _check_levels(levels)
        check_count(annealing_steps=annealing_steps)
        self.annealed_from, self.annealing_steps = annealed_from, annealing_steps
        if annealed_from is not None:
            check_positive(annealed_from=annealed_from)
            if learn_scale:
                raise UsageError("annealed_from anneals the scale, and learn_scale trains it.")
            self.log_scale.assign(math.log(annealed_from))

    def preprocess(self, x, seed):
        if self.levels is None:
            return x
        noise = samplers.uniform(tf.shape(x), seed, x.dtype) - 0.5
        return (tf.round(x * (self.levels - 1)) + noise) / (self.levels - 1)

    def distribution(self, outputs):
        scale = tf.cast(self.scale, outputs.dtype)
        return tfd.Normal((outputs + 1) / 2, scale / 2)

    def scheduled_state(self, step):
        if self.annealed_from is None:
            return []
        done = tf.minimum(tf.cast(step, self.dtype) / self.annealing_steps, 1.0)
        scale = self.annealed_from + done * (self.initial_scale - self.annealed_from)
        return [(self.log_scale, tf.math.log(scale))]

    def bits_per_dim(self, log_likelihood, num_dims):
        if self.levels is None:
            return None
        return super().bits_per_dim(log_likelihood, num_dims) + math.log2(self.levels - 1)

    def get_config(self):
        config = {"levels": self.levels, "annealed_from": self.annealed_from}
        return super().get_config() | config | {"annealing_steps": self.annealing_steps}


@keras.saving.register_keras_serializable("zoo")
class DiscretisedLogistic(_LocationScale):
    """The observation model of grey levels k / (levels - 1), by the mass of a logistic law.

    Each level has the mass that is nearest to it.
    The lowest and the highest level take the tails (Kingma et al. 2016, inverse autoregressive
    flow, app. C; Salimans et al. 2017). Images are rounded to the nearest level.

    Args:
      scale: of the logistic law, in units of images in [-1, 1]; where it starts, if it is learned.
      learn_scale: whether it is trained with the decoder.
      levels: number of grey levels.
    """

    def __init__(self, scale: float = 0.1, learn_scale: bool = True, levels: int = 256, **kwargs):
        super().__init__(scale, learn_scale, **kwargs)
        self.levels = _check_levels(levels)

    def preprocess(self, x, seed):
        return tf.round(x * (self.levels - 1)) / (self.levels - 1)

    def distribution(self, outputs):
        scale = tf.cast(self.scale, outputs.dtype)
        return LogisticLevels((outputs + 1) / 2, scale / 2, self.levels)

    def get_config(self):
        return super().get_config() | {"levels": self.levels}


def _check_levels(levels):
    check_count(levels=levels)
    if levels < 2:
        raise UsageError(f"levels must be at least 2; it was {levels}.")
    return levels


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "discretised_logistic": DiscretisedLogistic,
}


def get_likelihood(likelihood: str | dict | Likelihood, dtype: str | None = None) -> Likelihood:
    """Makes a likelihood by its name or by a dictionary of its `name` and arguments.

    Args:
      likelihood: such a name or dictionary, or an object.
      dtype: of the model.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("likelihood", LIKELIHOODS, likelihood, dtype=dtype)
