"""The base of models of binary latents, whose posterior is a part that can be exchanged."""

from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf

import layers
import samplers
from samplers.random import Seed
from samplers.relaxations import Relaxation
from zoo.core.checks import UsageError, check_count, check_counts, check_flag, check_seed
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.networks import as_network
from zoo.data import as_data
from zoo.models.deep_latent import DeepLatentModel
from zoo.parts.binary_posterior import BinaryPosterior, RelaxedDraw
from zoo.parts.binary_posteriors import get_binary_posterior
from zoo.parts.binary_prior import check_latent_dims
from zoo.parts.likelihoods import get_likelihood
from zoo.parts.relaxations import get_relaxation, relaxation_config


class BinaryLatentModel(DeepLatentModel):
    """A model of bits z with x ~ p(x given g(z)), and q(z given x) of an encoder's features.

    Training draws relaxed bits, through which the gradient passes; scores are of bits. A method
    says what p(z) is, and what training climbs.

    Args:
      encoder: Keras model from images [N, ...event] to features [N, F], of which the posterior's
        parameters are linear functions.
      decoder: Keras model from latents [N, n1 + n2] to [N, ...event].
      latent_dims: n1 and n2.
      posterior: "directed" or "undirected", a dictionary of such a `name` and the arguments of
        `zoo.parts.DirectedPosterior` or `zoo.parts.UndirectedPosterior`, or an object.
      likelihood: as `VAE`.
      relaxation: "piecewise_linear", "concrete", "power" or "exponential", a dictionary of such a
        `name` and `beta`, or an object of `samplers`.
      num_samples: K, relaxed draws of an image in training.
      **kwargs: `seed`.

    Raises:
      UsageError: if the networks do not fit each other, or for a value out of its range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        latent_dims: Sequence[int],
        posterior: str | dict | BinaryPosterior = "directed",
        likelihood="bernoulli",
        relaxation: str | dict | Relaxation = "piecewise_linear",
        num_samples: int = 1,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, encoder=encoder, **kwargs)
        check_latent_dims(latent_dims)
        self.latent_dims = tuple(latent_dims)
        check_count(num_samples=num_samples)
        if sum(latent_dims) != self.latent_dim:
            raise UsageError(
                f"decoder must take {sum(latent_dims)} latents, as latent_dims say; "
                f"it takes {self.latent_dim}."
            )
        self.relaxation = get_relaxation(relaxation)
        self.num_samples = num_samples
        self.posterior_part = get_binary_posterior(
            posterior,
            latent_dims=latent_dims,
            seed=self.seed + 2000,
            name="posterior",
            dtype=self.dtype,
        )
        if self.posterior_part.latent_dims != self.latent_dims:
            raise UsageError(
                f"posterior must be over latent_dims, {self.latent_dims}; "
                f"it is over {self.posterior_part.latent_dims}."
            )
        self.posterior_part.check_relaxation(self.relaxation)
        self.posterior_part.belong("posterior")
        self.posterior_part.make_state(num_samples, self.seed)
        self.posterior_part.build((None, *self.encoder.output_shape[1:]))

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dims: Sequence[int] = (100, 100),
        hidden: Sequence[int] = (200, 200),
        activation: str = "tanh",
        layer_normalisation: bool = True,
        likelihood="bernoulli",
        posterior: str | dict | BinaryPosterior = "directed",
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with fully connected networks for `data`, unless others are given.

        As in the authors' code the encoder sees images less their mean, and the decoder starts at
        that mean.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dims: as the constructor.
          hidden: units of each hidden layer, in both networks (in reverse order in the decoder).
          activation: of the hidden layers, the last of which are the features.
          layer_normalisation: whether hidden layers are normalised, each image's on its own; the
            authors normalise over a batch, which would make one posterior depend on other images.
          likelihood: as `VAE`.
          posterior: as the constructor; one that keeps chains does so for all training examples of
            `data`, unless it says `num_examples`.
          encoder: used instead, if given.
          decoder: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.
        """
        data = as_data(data)
        check_seed(seed=seed)
        check_latent_dims(latent_dims)
        check_counts(hidden=hidden)
        check_flag(layer_normalisation=layer_normalisation)
        likelihood = get_likelihood(likelihood, density_dtype(dtype))
        shared = {"activation": activation, "layer_normalisation": layer_normalisation}
        with networks_of(dtype):
            encoder = encoder or layers.mlp(
                data.shape,
                hidden,
                None,
                input_mean=data.mean_image,
                seed=seed,
                name="encoder",
                **shared,
            )
            decoder = decoder or layers.mlp(
                (sum(latent_dims),),
                tuple(reversed(hidden)),
                data.shape,
                output_bias=likelihood.outputs_for_mean(data.mean_image),
                seed=seed + 1000,
                name="decoder",
                **shared,
            )
        encoder = as_network("encoder", encoder, data.shape)
        decoder = as_network("decoder", decoder, (sum(latent_dims),))
        posterior = get_binary_posterior(
            posterior,
            latent_dims=latent_dims,
            num_examples=data.num_examples.get("train"),
            seed=seed + 2000,
            name="posterior",
            dtype=density_dtype(dtype),
        )
        shared = {"latent_dims": latent_dims, "likelihood": likelihood, "posterior": posterior}
        return cls(encoder, decoder, seed=seed, dtype=dtype, **shared, **kwargs)

    @property
    def fields(self):
        return super().fields | self.posterior_part.batch_fields

    def parameters_of(self, x: tf.Tensor):
        """Makes what the posterior's methods take.

        Args:
          x: images, [B, ...event].

        Returns:
          Parameters of q(z given x).
        """
        return self.posterior_part(self.features(x))

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x), [S, B, n]; there is no chain to tell of."""
        return self.posterior_part.propose(self.parameters_of(batch["x"]), num_samples, seed).z, {}

    # Training.

    def amortise(self, batch, seed):
        return {"parameters": self.parameters_of(batch["x"])}

    def sample_latents(self, batch, context, seed):
        return self.posterior_part.sample_latents(context["parameters"], batch, seed), {}

    def relaxed_draw(self, context: dict, latents, seed: Seed, form: str) -> RelaxedDraw:
        """Draws K relaxed bits of q.

        Args:
          context: as `amortise` makes it.
          latents: as `sample_latents` makes them.
          seed: int or int32[2].
          form: as the posterior's `relaxed`.

        Returns:
          What the posterior's `relaxed` makes, [K, B, n].
        """
        return self.posterior_part.relaxed(
            context["parameters"],
            latents,
            self.num_samples,
            self.relaxation,
            samplers.fold_in(seed, "relaxed"),
            form,
        )

    def state_statistics(self, batch, latents, diagnostics):
        return self.posterior_part.state_statistics(batch, latents)

    def next_state(self, statistics):
        return self.posterior_part.next_state(statistics)

    def get_config(self):
        return super().get_config() | {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "latent_dims": self.latent_dims,
            "posterior": keras.saving.serialize_keras_object(self.posterior_part),
            "relaxation": relaxation_config(self.relaxation),
            "num_samples": self.num_samples,
        }
