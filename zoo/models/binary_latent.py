"""Models of binary latents, whose posterior is a part that can be exchanged: directed or an RBM."""

from collections.abc import Sequence

import keras
import tensorflow as tf

import layers
import samplers
from samplers.random import Seed
from samplers.relaxations import Relaxation
from zoo.core.annealing import ImportanceSampling
from zoo.core.checks import UsageError, check_count
from zoo.core.trainable import written_rows
from zoo.models.deep_latent import DeepLatentModel
from zoo.parts.binary_posteriors import DirectedPosterior, RelaxedDraw, UndirectedPosterior
from zoo.parts.likelihoods import get_likelihood
from zoo.parts.rbm_prior import check_latent_dims
from zoo.parts.relaxations import get_relaxation, relaxation_config


class BinaryPosteriorModel(DeepLatentModel):
    """Bits z, x ~ p(x given g(z)), and q(z given x), a part that is made of the encoder's features.

    Training draws relaxed bits, through which the gradient passes; scores are of bits. A method
    says what p(z) is, and what training climbs.

    Args:
      encoder: Keras model from images [N, ...event] to features [N, F], of which the posterior's
        parameters are linear functions.
      decoder: Keras model from latents [N, n1 + n2] to [N, ...event].
      latent_dims: n1 and n2.
      posterior: the part that makes a law over bits of features.
      likelihood: as `VAE`.
      relaxation: "piecewise_linear", "concrete", "power" or "exponential", a dictionary of such a
        `name` and `beta`, or an object of `samplers`.
      num_samples: K, relaxed draws of an image in training.
      **kwargs: `seed`.

    Raises:
      UsageError: if the networks do not fit each other, or for a value out of its range.
    """

    scoring = ImportanceSampling()

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        latent_dims: Sequence[int],
        posterior: keras.layers.Layer,
        likelihood="bernoulli",
        relaxation: str | dict | Relaxation = "piecewise_linear",
        num_samples: int = 1,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, encoder=encoder, **kwargs)
        check_latent_dims(latent_dims)
        self.latent_dims = tuple(latent_dims)
        check_count(num_samples=num_samples)
        if encoder.input_shape[1:] != self.event_shape:
            raise UsageError(
                f"decoder must give {encoder.input_shape[1:]}, the encoder's input; "
                f"it gives {self.event_shape}."
            )
        if sum(latent_dims) != self.latent_dim:
            raise UsageError(
                f"decoder must take {sum(latent_dims)} latents, as latent_dims say; "
                f"it takes {self.latent_dim}."
            )
        self.relaxation = get_relaxation(relaxation)
        self.num_samples = num_samples
        self.posterior_part = posterior
        self.posterior_part.build((None, *encoder.output_shape[1:]))

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
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        seed: int = 0,
        **kwargs,
    ):
        """The model with fully connected networks for `data`, unless others are given.

        As in the authors' code the encoder sees images less their mean, and the decoder starts at
        that mean.

        Args:
          data: what `zoo.data.load` returns.
          latent_dims: units of both sides of the RBM.
          hidden: units of each hidden layer, in both networks (in reverse order in the decoder).
          activation: of the hidden layers, the last of which are the features.
          layer_normalisation: whether hidden layers are normalised, each image's on its own; the
            authors normalise over a batch, which would make one posterior depend on other images.
          likelihood: as `VAE`.
          encoder: used instead, if given.
          decoder: used instead, if given.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.
        """
        check_latent_dims(latent_dims)
        for units in hidden:
            check_count(hidden=units)
        likelihood = get_likelihood(likelihood)
        shared = {"activation": activation, "layer_normalisation": layer_normalisation}
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
            output_bias=likelihood.outputs_of(data.mean_image),
            seed=seed + 1000,
            name="decoder",
            **shared,
        )
        return cls(
            encoder, decoder, latent_dims=latent_dims, likelihood=likelihood, seed=seed, **kwargs
        )

    def parameters_of(self, x: tf.Tensor):
        """What the posterior's methods take, for images [B, ...event]."""
        return self.posterior_part(self.encoder(x))

    def infer(self, x, num_samples, seed, visible=None, num_steps=None):
        """Bits of q, [S, B, n], whatever is visible."""
        return self.posterior_part.hard(self.parameters_of(x), num_samples, seed).z, {}

    def amortise(self, batch, seed):
        return {"parameters": self.parameters_of(batch["x"])}

    def relaxed_draw(self, context: dict, latents, seed: Seed, closed_form: bool) -> RelaxedDraw:
        """`num_samples` draws of q, [K, B, n], as the posterior's `relaxed` makes them."""
        return self.posterior_part.relaxed(
            context["parameters"],
            latents,
            self.num_samples,
            self.relaxation,
            samplers.fold_in(seed, "relaxed"),
            closed_form=closed_form,
        )

    def check_separate(self, why: str) -> None:
        """Refuses relaxations in which draws of either bit overlap."""
        if self.relaxation.overlapping:
            raise UsageError(
                f"relaxation must be 'piecewise_linear' or 'concrete' {why}; "
                f"it was {relaxation_config(self.relaxation)['name']!r}."
            )

    def get_config(self):
        return super().get_config() | {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "latent_dims": self.latent_dims,
            "relaxation": relaxation_config(self.relaxation),
            "num_samples": self.num_samples,
        }


class DirectedPosteriorModel(BinaryPosteriorModel):
    """Whose posterior is directed: groups of bits of which each depends on those before.

    Args:
      num_groups: L.
      **kwargs: as the base, but the posterior.
    """

    def __init__(self, encoder, decoder, *, latent_dims, num_groups: int = 1, **kwargs):
        check_latent_dims(latent_dims)
        posterior = DirectedPosterior(
            latent_dims, num_groups=num_groups, seed=kwargs.get("seed", 0) + 2000, name="posterior"
        )
        super().__init__(encoder, decoder, latent_dims=latent_dims, posterior=posterior, **kwargs)

    def get_config(self):
        return super().get_config() | {"num_groups": self.posterior_part.num_groups}


class UndirectedPosteriorModel(BinaryPosteriorModel):
    """Whose posterior is an RBM of every image, with chains that go on (Vahdat et al. 2020).

    At every visit an example's chains make `num_posterior_sweeps` Gibbs sweeps in its RBM, from
    where they were left; then relaxed ones, through which the gradient passes.

    Args:
      num_examples: of the training data; chains are kept by the example's number, `index`.
      num_posterior_sweeps: s, hard sweeps of a visit.
      num_relaxed_sweeps: t.
      num_increments: annealing steps when bits are drawn from scratch, for scores and new images.
      **kwargs: as the base, but the posterior; "power" and "exponential" relaxations are for
        directed posteriors.
    """

    def __init__(
        self,
        encoder,
        decoder,
        *,
        latent_dims,
        num_examples: int,
        num_posterior_sweeps: int = 10,
        num_relaxed_sweeps: int = 1,
        num_increments: int = 100,
        **kwargs,
    ):
        check_latent_dims(latent_dims)
        posterior = UndirectedPosterior(
            latent_dims,
            num_relaxed_sweeps=num_relaxed_sweeps,
            num_increments=num_increments,
            seed=kwargs.get("seed", 0) + 2000,
            name="posterior",
        )
        super().__init__(encoder, decoder, latent_dims=latent_dims, posterior=posterior, **kwargs)
        check_count(num_examples=num_examples, num_posterior_sweeps=num_posterior_sweeps)
        self.check_separate("for an undirected posterior")
        self.num_examples, self.num_posterior_sweeps = num_examples, num_posterior_sweeps
        shape = (num_examples, self.num_samples, latent_dims[0])
        self.chains = self.add_weight(
            name="chains", shape=shape, initializer="zeros", trainable=False
        )
        u = samplers.uniform(shape, samplers.fold_in(self.seed, "chains"))
        self.chains.assign(tf.cast(u < 0.5, tf.float32))

    @classmethod
    def for_data(cls, data, **kwargs):
        """As the base; `num_examples` is that of the training data, unless given."""
        return super().for_data(data, **{"num_examples": data.num_examples["train"]} | kwargs)

    def sample_latents(self, batch, context, seed):
        """Side 1 of the hard draws, [K, B, n1]."""
        start = tf.gather(tf.convert_to_tensor(self.chains), batch["index"])
        z1, _ = samplers.gibbs(
            context["parameters"],
            tf.transpose(start, [1, 0, 2]),
            num_sweeps=self.num_posterior_sweeps,
            seed=seed,
        )
        return z1, {}

    def state_statistics(self, batch, latents, diagnostics):
        return {"index": batch["index"], "chains": tf.transpose(latents, [1, 0, 2])}

    def next_state(self, statistics):
        chains = written_rows(self.chains, statistics["index"], statistics["chains"])
        return [*super().next_state(statistics), (self.chains, chains)]

    def get_config(self):
        return super().get_config() | {
            "num_examples": self.num_examples,
            "num_posterior_sweeps": self.num_posterior_sweeps,
            "num_relaxed_sweeps": self.posterior_part.num_relaxed_sweeps,
            "num_increments": self.posterior_part.num_increments,
        }
