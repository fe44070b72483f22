"""The mean-field variational autoencoder, whose networks and bound other methods build on."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from samplers.random import Seed
from zoo.core.checks import (
    UsageError,
    check_count,
    check_deterministic,
)
from zoo.core.registry import register
from zoo.models.deep_latent import DeepLatentGaussianModel
from zoo.parts.likelihoods import Likelihood
from zoo.parts.sequential_gaussian import SequentialGaussian, diagonal_gaussian

tfd = tfp.distributions


@register(tiny={"latent_dim": 4, "hidden": (16,)})
class VAE(DeepLatentGaussianModel):
    """A deep latent Gaussian model with a mean-field encoder, both climbing the same bound.

    z ~ N(0, I), x ~ p(x given g(z)), q(z given x) = N(mu(x), diag sigma(x)^2), trained on
    log p(x, z) - log q(z given x) at one reparameterised z (Kingma and Welling 2014; Rezende,
    Mohamed and Wierstra 2014).

    With `upper_encoder` and `upper_decoder` there are two stochastic layers (Burda, Grosse and
    Salakhutdinov 2016): z = (z_1, z_2) in one vector, p(z) = N(z_2; 0, I) p(z_1 given z_2) and
    q(z given x) = q(z_1 given x) q(z_2 given z_1), all diagonal Gaussians; x depends on z_1.

    Args:
      encoder: Keras model from images [N, ...event] to [N, 2 K]: mu, then log sigma.
      decoder: Keras model from latents [N, K] to [N, ...event]: what the likelihood asks for.
      likelihood: "bernoulli" (the decoder gives logits), "gaussian" or "discretised_logistic" (it
        gives means in [-1, 1]), a dictionary of such a `name` and arguments, or an object of
        `zoo.parts.likelihoods`.
      shear: whether the decoder sees A z, with A a learned unit lower-triangular matrix.
      upper_encoder: Keras model from z_1 [N, K] to mu and log sigma of q(z_2 given z_1).
      upper_decoder: Keras model from z_2 to mu and log sigma [N, 2 K] of p(z_1 given z_2).
      seed: of training and of default draws.

    Raises:
      UsageError: if the networks do not fit each other, hold batch normalisation or dropout, or
        a value is not one of the above.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        likelihood: str | dict | Likelihood = "bernoulli",
        shear: bool = False,
        upper_encoder: keras.Model | None = None,
        upper_decoder: keras.Model | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, encoder=encoder, seed=seed, **kwargs)
        self.upper_encoder, self.upper_decoder = upper_encoder, upper_decoder
        self.shear = layers.Shear(name="shear") if shear else None
        if encoder.input_shape[1:] != self.event_shape:
            raise UsageError(
                f"decoder must give {encoder.input_shape[1:]}, the encoder's input; "
                f"it gives {self.event_shape}."
            )
        size = self.latent_dim
        if (upper_encoder is None) != (upper_decoder is None):
            raise UsageError("upper_encoder and upper_decoder must be given both, or neither.")
        self.layer_sizes = (size,) if upper_encoder is None else (size, self._upper_size(size))
        self.latent_dim = sum(self.layer_sizes)
        if encoder.output_shape[1:] != (2 * size,):
            raise UsageError(
                f"encoder must give {(2 * size,)}, mean and log standard deviation of "
                f"the decoder's {size} inputs; it gives {encoder.output_shape[1:]}."
            )
        if shear:
            self.shear.build((None, size))

    def _upper_size(self, size):
        check_deterministic(upper_encoder=self.upper_encoder, upper_decoder=self.upper_decoder)
        upper_size = self.upper_decoder.input_shape[-1]
        for name, network, ends in (
            ("upper_encoder", self.upper_encoder, (size, 2 * upper_size)),
            ("upper_decoder", self.upper_decoder, (upper_size, 2 * size)),
        ):
            given = (network.input_shape[-1], network.output_shape[-1])
            if given != ends:
                raise UsageError(
                    f"{name} must map {ends[0]} numbers to {ends[1]}, mean and log standard "
                    f"deviation of the other layer; it maps {given[0]} to {given[1]}."
                )
        return upper_size

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 16,
        hidden: Sequence[int] = (200, 200),
        activation: str = "softplus",
        upper_latent_dim: int = 0,
        upper_hidden: Sequence[int] = (100, 100),
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        seed: int = 0,
        **kwargs,
    ):
        """The model with fully connected networks for `data`, unless others are given.

        The encoder starts at small sigma(x), exp(-2): from sigma near 1, or with the mean image
        in the decoder's output bias, a VAE can stay at the prior for hundreds of epochs.

        Args:
          data: what `zoo.data.load` returns.
          latent_dim: number of latents K.
          hidden: units of each hidden layer, in both networks (in reverse order in the decoder).
          activation: of the hidden layers.
          upper_latent_dim: number of latents of a second stochastic layer; 0 for none.
          upper_hidden: units of each hidden layer between the two stochastic ones.
          encoder: used instead, if given.
          decoder: used instead, if given.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.
        """
        check_count(latent_dim=latent_dim)
        for units in hidden:
            check_count(hidden=units)

        def networks(shape, latent_dim, hidden, decoded_shape, seed, prefix=""):
            encoder = layers.mlp(
                shape,
                hidden,
                (2 * latent_dim,),
                activation=activation,
                output_bias=np.repeat([0.0, -2.0], latent_dim),
                seed=seed,
                name=f"{prefix}encoder",
            )
            decoder = layers.mlp(
                (latent_dim,),
                tuple(reversed(hidden)),
                decoded_shape,
                activation=activation,
                seed=seed + 1000,
                name=f"{prefix}decoder",
            )
            return encoder, decoder

        made = networks(data.shape, latent_dim, hidden, data.shape, seed)
        encoder, decoder = encoder or made[0], decoder or made[1]
        if upper_latent_dim and kwargs.keys() & {"upper_encoder", "upper_decoder"}:
            raise UsageError("upper_latent_dim makes the upper networks; give it, or them.")
        if upper_latent_dim:
            check_count(upper_latent_dim=upper_latent_dim)
            for units in upper_hidden:
                check_count(upper_hidden=units)
            size = decoder.input_shape[-1]
            kwargs["upper_encoder"], kwargs["upper_decoder"] = networks(
                (size,), upper_latent_dim, upper_hidden, (2 * size,), seed + 2000, "upper_"
            )
        return cls(encoder, decoder, seed=seed, **kwargs)

    @property
    def prior(self) -> tfd.Distribution:
        """N(0, I) over [K]; with two layers that of the upper one, and the lower given it."""
        if self.upper_decoder is None:
            return super().prior
        upper = tf.zeros([self.layer_sizes[-1]])

        def walk(choose):
            z = choose(diagonal_gaussian(upper, tf.ones_like(upper)))
            choose(_gaussian(layers.fold(self.upper_decoder, z)))

        return SequentialGaussian(walk, self.layer_sizes, upper, last_first=True)

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """q(z given x), mean-field or, with two layers, so given z_1; batch shape [B]."""
        posterior = _gaussian(self.encoder(x))
        if self.upper_encoder is None:
            return posterior

        def walk(choose):
            z = choose(posterior)
            choose(_gaussian(layers.fold(self.upper_encoder, z)))

        return SequentialGaussian(walk, self.layer_sizes, posterior.mean())

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """The decoder at A z (of the lower layer, with two)."""
        z = z if self.upper_decoder is None else z[..., : self.layer_sizes[0]]
        return super().decode(z if self.shear is None else self.shear(z))

    def log_weights(self, x, num_samples, seed):
        return self._log_weights(x, *self._draw(x, num_samples, seed))

    def infer(self, x, num_samples, seed, visible=None, num_steps=100):
        """Draws of q; with a mask, for which the encoder is of no use, the base's chain."""
        if visible is not None:
            return super().infer(x, num_samples, seed, visible, num_steps)
        return self._draw(x, num_samples, seed)[1], {}

    def encoding(self, x):
        posterior = self.posterior(x)
        # With two layers, those of z_2 are at the mean of z_1.
        return {"q_mean": posterior.mean(), "q_stddev": posterior.stddev()}

    # Training.

    @property
    def parameter_groups(self):
        return {"elbo": self.trainable_variables}

    @property
    def _inference_and_generation(self):
        """The groups of methods whose decoder learns from other latents than the encoder."""
        inference = [self.encoder, self.upper_encoder, self.shear]
        generation = [self.decoder, self.upper_decoder, self.pixels]
        return {
            group: [v for part in parts if part is not None for v in part.trainable_variables]
            for group, parts in (("inference", inference), ("generation", generation))
        }

    def amortise(self, batch, seed):
        posterior, z = self._draw(batch["x"], 1, seed)
        return {"posterior": posterior, "z": z}

    def objectives(self, batch, context, latents, seed):
        elbo = tf.reduce_mean(self._log_weights(batch["x"], context["posterior"], context["z"]))
        return {"elbo": -elbo}, {"bound": elbo}

    def _draw(self, x, num_samples, seed: Seed):
        posterior = self.posterior(x)
        noise = samplers.normal([num_samples, tf.shape(x)[0], self.latent_dim], seed)
        if isinstance(posterior, SequentialGaussian):
            return posterior, posterior.transform(noise)
        return posterior, posterior.mean() + posterior.stddev() * noise

    def _log_weights(self, x, posterior, z):
        return self.log_joint(x, z) - posterior.log_prob(z)

    def get_config(self):
        parts = {
            "encoder": self.encoder,
            "upper_encoder": self.upper_encoder,
            "upper_decoder": self.upper_decoder,
        }
        return super().get_config() | {
            **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()},
            "shear": self.shear is not None,
        }


def _gaussian(parameters):
    """N(mu, diag sigma^2) of a network's output, mu and log sigma."""
    mean, log_scale = tf.split(parameters, 2, axis=-1)
    return diagonal_gaussian(mean, tf.exp(tf.clip_by_value(log_scale, -7.0, 5.0)))
