"""The bases of models whose pixels are given by a decoder, and of those of Gaussian latents."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from zoo.core.checks import UsageError, check_count, check_deterministic
from zoo.core.latent import LatentVariableModel
from zoo.parts.likelihoods import Likelihood, get_likelihood

tfd = tfp.distributions


class DeepLatentModel(LatentVariableModel):
    """z ~ p(z), x ~ p(x given g(z)), with a decoder g; a method says what p(z) is.

    Args:
      decoder: Keras model from latents [N, K] to [N, ...event]: what the likelihood asks for.
      likelihood: a name, a dictionary or an object, as `get_likelihood` takes it.
      encoder: of the methods that have one.
      seed: of training and of default draws.

    Raises:
      UsageError: if the decoder holds batch normalisation or dropout, or for another likelihood.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        likelihood: str | dict | Likelihood,
        encoder: keras.Model | None = None,
        **kwargs,
    ):
        super().__init__(event_shape=decoder.output_shape[1:], **kwargs)
        if encoder is not None:
            check_deterministic(encoder=encoder)
            self.encoder = encoder
        check_deterministic(decoder=decoder)
        self.decoder = decoder
        self.pixels = get_likelihood(likelihood)
        self.latent_dim = decoder.input_shape[-1]
        self.built = True

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """The decoder's outputs, [..., ...event], for latents [..., K]."""
        return layers.fold(self.decoder, z)

    def likelihood(self, z: tf.Tensor) -> tfd.Independent:
        """p(x given z), z [..., K]."""
        return tfd.Independent(self.pixels.distribution(self.decode(z)), len(self.event_shape))

    def observe(self, x, seed):
        return self.pixels.observe(x, seed)

    def bits_per_dim(self, log_likelihood):
        return self.pixels.bits_per_dim(log_likelihood, math.prod(self.event_shape))

    def scheduled_state(self, iteration):
        return self.pixels.scheduled_state(iteration)

    def get_config(self):
        parts = {"decoder": self.decoder, "likelihood": self.pixels}
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}
        return super().get_config() | serialized


class DeepLatentGaussianModel(DeepLatentModel):
    """`DeepLatentModel` with z ~ N(0, I) (Rezende, Mohamed and Wierstra 2014)."""

    @property
    def prior(self) -> tfd.Distribution:
        """N(0, I) over [K]."""
        return tfd.Sample(tfd.Normal(0.0, 1.0), self.latent_dim)


def top_down(data, latent_dims, width, blocks, hierarchical, seed) -> layers.TopDown:
    """The generator for data, with a user's mistakes told as such."""
    check_count(width=width)
    for size in latent_dims:
        check_count(latent_dims=size)
    try:
        return layers.TopDown(
            data.shape,
            latent_dims,
            width=width,
            blocks=blocks,
            hierarchical=hierarchical,
            seed=seed,
            name="decoder",
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
