"""The variational autoencoder, whose networks and bound other methods build on."""

from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from samplers.random import Seed
from zoo.core.abilities import follows_from
from zoo.core.checks import (
    UsageError,
    check_choice,
    check_count,
    check_count_or_0,
    check_counts,
    check_flag,
    check_seed,
)
from zoo.core.dtypes import networks_of
from zoo.core.latent import Proposal
from zoo.core.networks import as_network, check_unshared
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.deep_latent import DeepLatentGaussianModel, variables_of
from zoo.parts.gaussian_posteriors import TwoLayerPosterior
from zoo.parts.likelihoods import Likelihood
from zoo.parts.part import Part
from zoo.parts.posteriors import get_posterior
from zoo.parts.priors import LayeredPrior, get_prior

tfd = tfp.distributions


@register(
    tiny={"latent_dim": 4, "hidden": (16,)},
    variants={
        "two layers": {"upper_latent_dim": 2, "upper_hidden": (8,)},
        "planar": {"posterior": {"name": "planar", "num_flows": 2, "amortised": True}},
    },
    paper=(
        Paper(
            authors=("Kingma, Diederik P.", "Welling, Max"),
            title="Auto-Encoding Variational Bayes",
            year=2014,
            venue="International Conference on Learning Representations",
        ),
        Paper(
            authors=("Rezende, Danilo Jimenez", "Mohamed, Shakir", "Wierstra, Daan"),
            title="Stochastic Backpropagation and Approximate Inference in Deep Generative Models",
            year=2014,
            venue="Proceedings of the 31st International Conference on Machine Learning",
        ),
    ),
)
class VAE(DeepLatentGaussianModel):
    """Variational autoencoder: encoder and decoder climb one bound.

    z ~ p(z), x ~ p(x given g(z)), q(z given x) of the encoder's features, trained on
    log p(x, z) - log q(z given x) at one reparameterised z (Kingma and Welling 2014; Rezende,
    Mohamed and Wierstra 2014). The posterior is a part; by default it is mean-field,
    N(mu(x), diag sigma(x)^2), and p(z) = N(0, I).

    Args:
      encoder: Keras model from images [N, ...event] to the posterior's features, which of a
        mean-field one are [N, 2 K]: mu, then log sigma.
      decoder: Keras model from latents [N, K] to [N, ...event]: what the likelihood asks for.
      likelihood: "bernoulli" (the decoder gives logits), "gaussian" or "discretised_logistic" (it
        gives means in [-1, 1]), a dictionary of such a `name` and arguments, or an object of
        `zoo.likelihoods`.
      posterior: "mean_field", flows of such a draw ("planar", "nice", "iaf"), a dictionary of such
        a `name` and arguments, or an object such as `zoo.parts.TwoLayerPosterior`.
      prior: "standard_normal", or an object such as `zoo.parts.LayeredPrior`.
      shear: whether the decoder sees A z, with A a learned unit lower-triangular matrix.
      annealing_steps: training steps in which the weight beta of log p(x, z) in what the encoder
        climbs grows from 0.01 to 1 (Rezende and Mohamed 2015, eq. 20); 0 for 1 at once.
      **kwargs: `seed`, of training and of default draws.

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
        posterior: str | dict | Part = "mean_field",
        prior: str | dict | Part = "standard_normal",
        shear: bool = False,
        annealing_steps: int = 0,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, encoder=encoder, **kwargs)
        self.posterior_part = get_posterior(posterior, self.dtype, self.seed)
        self.prior_part = get_prior(prior, self.dtype)
        check_flag(shear=shear)
        check_count_or_0(annealing_steps=annealing_steps)
        self.annealing_steps = annealing_steps
        self.shear = layers.Shear(name="shear", dtype=self.dtype) if shear else None
        if shear:
            self.shear.build((None, self.latent_dim))
        decoded = self.latent_dim
        self.latent_dim = self.posterior_part.check_encoder(self.encoder, decoded)
        self.prior_part.check_latents(self.latent_dim, decoded)
        check_unshared(
            encoder=self.encoder,
            decoder=self.decoder,
            posterior=self.posterior_part,
            prior=self.prior_part,
        )

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 16,
        hidden: Sequence[int] = (200, 200),
        activation: str = "softplus",
        blocks: str = "dense",
        channels: Sequence[int] = (16, 32, 32),
        upper_latent_dim: int = 0,
        upper_hidden: Sequence[int] = (100, 100),
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with networks for `data`, unless others are given.

        The encoder starts at small sigma(x), exp(-2): from sigma near 1, or with the mean image
        in the decoder's output bias, a VAE can stay at the prior for hundreds of epochs.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: number of latents K.
          hidden: units of each hidden layer, in both networks (in reverse order in the decoder).
          activation: of the hidden layers.
          blocks: "dense", or "convolution": convolutions before the encoder's hidden layers, and
            transposed ones after the decoder's.
          channels: of the convolutions, 5 by 5 with stride 2, in the encoder's order.
          upper_latent_dim: number of latents of a second stochastic layer; 0 for none.
          upper_hidden: units of each hidden layer between the two stochastic ones.
          encoder: used instead, if given.
          decoder: used instead, if given.
          dtype: of networks and densities: "float32" or "float64"; or "mixed_float16" or
            "mixed_bfloat16", of networks alone. None for the policy of Keras.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        data = as_data(data)
        check_seed(seed=seed)
        check_count(latent_dim=latent_dim)
        check_counts(hidden=hidden, upper_hidden=upper_hidden, channels=channels)
        check_choice("blocks", blocks, layers.BLOCKS)
        if blocks == "convolution" and (len(data.shape) != 3 or not channels):
            raise UsageError(
                "blocks: 'convolution' needs images (height, width, channels) and channels; the "
                f"data were {data.shape}, and channels {channels!r}."
            )
        check_count_or_0(upper_latent_dim=upper_latent_dim)

        if upper_latent_dim and kwargs.keys() & {"posterior", "prior"}:
            raise UsageError("upper_latent_dim makes posterior and prior; give it, or them.")
        posterior = get_posterior(kwargs.pop("posterior", "mean_field"), dtype, seed)

        def networks(shape, latent_dim, hidden, decoded_shape, seed, blocks="dense", prefix=""):
            start = posterior.start_features(latent_dim)
            common = {"activation": activation}
            encoded = common | {"output_bias": start, "seed": seed, "name": f"{prefix}encoder"}
            decoded = common | {"seed": seed + 1000, "name": f"{prefix}decoder"}
            reverse = tuple(reversed(hidden))
            with networks_of(dtype):
                if blocks == "convolution":
                    return (
                        layers.convolutional_encoder(
                            shape, channels, hidden, start.shape, **encoded
                        ),
                        layers.convolutional_decoder(
                            latent_dim, reverse, tuple(reversed(channels)), decoded_shape, **decoded
                        ),
                    )
                return (
                    layers.mlp(shape, hidden, start.shape, **encoded),
                    layers.mlp((latent_dim,), reverse, decoded_shape, **decoded),
                )

        made = networks(data.shape, latent_dim, hidden, data.shape, seed, blocks)
        encoder = as_network("encoder", encoder or made[0], data.shape)
        decoder = as_network("decoder", decoder or made[1], (latent_dim,))
        if upper_latent_dim:
            size = decoder.input_shape[-1]
            upper_encoder, upper_decoder = networks(
                (size,), upper_latent_dim, upper_hidden, (2 * size,), seed + 2000, prefix="upper_"
            )
            posterior = TwoLayerPosterior(upper_encoder, name="posterior", dtype=dtype)
            kwargs["prior"] = LayeredPrior(upper_decoder, name="prior", dtype=dtype)
        return cls(encoder, decoder, posterior=posterior, seed=seed, dtype=dtype, **kwargs)

    @property
    def prior(self) -> tfd.Distribution:
        """p(z) over [K]."""
        return self.prior_part.distribution(self.latent_dim)

    @follows_from("posterior_part.distribution")
    def posterior_distribution(self, batch: dict) -> tfd.Distribution:
        """As the base, of the encoder's features."""
        return self.posterior_part.distribution(self.features(batch["x"]))

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """As the base, at A z (of the lower layer, with two)."""
        z = self.prior_part.lowest(z)
        return super().decode(z if self.shear is None else self.shear(z))

    def propose(self, batch: dict, num_samples: int, seed: Seed) -> Proposal:
        """As the base, by draws of q(z given x)."""
        return self.posterior_part.propose(self.features(batch["x"]), num_samples, seed)

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x), [S, B, K]; there is no chain to tell of."""
        return self.propose(batch, num_samples, seed).z, {}

    # Training.

    @property
    def parameter_groups(self):
        return {"elbo": self.trainable_variables}

    @property
    def inference_and_generation(self) -> dict[str, list]:
        """The groups of methods whose decoder learns from other latents than the encoder."""
        return {
            "inference": variables_of(self.encoder, self.posterior_part, self.shear),
            "generation": variables_of(self.decoder, self.prior_part, self.observation_model),
        }

    @property
    def recognition_and_generation(self) -> dict[str, list]:
        """The same of methods in which only p(x, z) depends on the shear: it is the decoder's."""
        return {
            "inference": variables_of(self.encoder, self.posterior_part),
            "generation": variables_of(
                self.decoder, self.prior_part, self.observation_model, self.shear
            ),
        }

    def amortise(self, batch, seed):
        features = self.features(batch["x"])
        proposal = self.posterior_part.propose(features, 1, seed)
        return {"features": features, "proposal": proposal}

    def objectives(self, batch, context, latents, seed):
        proposal = context["proposal"]
        log_joint = self.log_joint(batch, proposal.z)
        bound = tf.reduce_mean(log_joint - proposal.log_q)
        climbed = tf.reduce_mean(self.annealed(log_joint) - proposal.log_q)
        return {"elbo": -climbed}, {"bound": bound}

    def annealed(self, log_joint: tf.Tensor) -> tf.Tensor:
        """beta log p(x, z), beta = min(1, 0.01 + share of the `annealing_steps` done), [S, B]."""
        if not self.annealing_steps:
            return log_joint
        return tf.minimum(1.0, 0.01 + self.share_done(self.annealing_steps)) * log_joint

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return super().get_config() | {"encoder": encoder} | self.part_config()

    def part_config(self) -> dict:
        """Returns the parts that are arguments of this class, in its config."""
        return {
            "posterior": keras.saving.serialize_keras_object(self.posterior_part),
            "prior": keras.saving.serialize_keras_object(self.prior_part),
            "shear": self.shear is not None,
            "annealing_steps": self.annealing_steps,
        }
