"""The bases of models whose pixels are given by a decoder, and of those of Gaussian latents."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from zoo.core.checks import (
    UsageError,
    as_usage_error,
    check_count,
    check_counts,
    check_flag,
    check_seed,
)
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.fields import PixelField
from zoo.core.latent import LatentVariableModel
from zoo.core.networks import as_network, check_unshared
from zoo.parts.likelihoods import Likelihood, get_likelihood
from zoo.parts.priors import standard_normal

tfd = tfp.distributions


class DeepLatentModel(LatentVariableModel):
    """The base of models z ~ p(z), x ~ p(x given g(z)) with a decoder g; a method says what p is.

    Args:
      decoder: Keras model from latents [N, K] to [N, ...event]: what the likelihood asks for.
      likelihood: a name, a dictionary or an object, as `get_likelihood` takes it.
      encoder: of the methods that have one.
      **kwargs: `seed`, of training and of default draws, and `dtype`, of densities, weights and
        states: "float32" or "float64".

    Raises:
      UsageError: if the networks are not of known shapes, hold batch normalisation or dropout or
        share layers, if the decoder ends in another activation than the likelihood takes, or for
        another likelihood.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        likelihood: str | dict | Likelihood,
        encoder: keras.Model | None = None,
        **kwargs,
    ):
        decoder = as_network("decoder", decoder)
        dtype = density_dtype(kwargs.pop("dtype", None))
        likelihood = get_likelihood(likelihood, dtype)
        event_shape = likelihood.event_shape(tuple(decoder.output_shape[1:]))
        super().__init__(fields={"x": PixelField(event_shape, dtype)}, dtype=dtype, **kwargs)
        if encoder is not None:
            self.encoder = as_network("encoder", encoder, event_shape)
            if self.encoder.input_shape[1:] != event_shape:
                raise UsageError(
                    f"decoder must give {self.encoder.input_shape[1:]}, the encoder's input; "
                    f"it gives {event_shape}."
                )
            check_unshared(encoder=self.encoder, decoder=decoder)
        self.decoder = decoder
        self.observation_model = likelihood
        self.observation_model.check_decoder(decoder)
        self.latent_dim = decoder.input_shape[-1]
        self.built = True

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """How many latents each layer has, the top one first."""
        decoded = layers.latent_dims(self.decoder)
        above = self.latent_dim - sum(decoded)  # latents that the decoder does not see
        return (above, *decoded) if above else decoded

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """Encodes images.

        Args:
          x: as the model explains them, [B, ...event].

        Returns:
          The encoder's outputs, [B, F].
        """
        return layers.fold(self.encoder, x, len(self.fields["x"].shape))

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """Decodes latents.

        Args:
          z: [..., K].

        Returns:
          The decoder's outputs, [..., ...event].
        """
        return layers.fold(self.decoder, z)

    def likelihood(self, z: tf.Tensor) -> tfd.Independent:
        """As the base, for z [..., K]."""
        return self.likelihood_of(self.decode(z))

    def likelihood_of(self, outputs: tf.Tensor) -> tfd.Independent:
        """The law of x, given outputs of the decoder, [..., ...event]."""
        pixels = self.observation_model.distribution(outputs)
        return tfd.Independent(pixels, len(self.fields["x"].shape))

    def preprocess(self, batch, seed):
        return batch | {"x": self.observation_model.preprocess(batch["x"], seed)}

    def bits_per_dim(self, log_likelihood):
        num_dims = math.prod(self.fields["x"].shape)
        return self.observation_model.bits_per_dim(log_likelihood, num_dims)

    def scheduled_state(self, step):
        return self.observation_model.scheduled_state(step)

    def get_config(self):
        parts = {"decoder": self.decoder, "likelihood": self.observation_model}
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}
        return super().get_config() | serialized


class DeepLatentGaussianModel(DeepLatentModel):
    """The base of such models with z ~ N(0, I) (Rezende, Mohamed and Wierstra 2014)."""

    @property
    def prior(self) -> tfd.Distribution:
        """N(0, I) over [K]."""
        return standard_normal(self.latent_dim, self.dtype)


def variables_of(*parts) -> list:
    """Collects trainable variables.

    Args:
      *parts: networks and parts of a model; None has none.

    Returns:
      Their variables, in order.
    """
    return [v for part in parts if part is not None for v in part.trainable_variables]


def top_down(data, latent_dims, width, blocks, hierarchical, dtype, seed) -> layers.TopDown:
    """Makes a top-down generator for data, with a user's mistakes told as such.

    Args:
      data: what `zoo.data.load` returns.
      latent_dims: as `layers.TopDown`, and so are the others.
      width: units, or channels, of the features.
      blocks: "dense" or "convolution".
      hierarchical: whether latents are independent and injected between the levels.
      dtype: the network's policy; None for that of Keras.
      seed: of the initial weights.

    Returns:
      The network.

    Raises:
      UsageError: for a value out of its range, or blocks that do not fit the data.
    """
    check_count(width=width)
    check_counts(latent_dims=latent_dims)
    check_flag(hierarchical=hierarchical)
    check_seed(seed=seed)
    with as_usage_error(), networks_of(dtype):
        return layers.TopDown(
            data.shape,
            latent_dims,
            width=width,
            blocks=blocks,
            hierarchical=hierarchical,
            seed=seed,
            name="decoder",
        )
