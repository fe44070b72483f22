"""Monte Carlo EM: a decoder and nothing else, which learns from chains over the whole data set."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import keras
import tensorflow as tf

import layers
import samplers
from zoo.core.checks import check_count, check_counts, check_seed
from zoo.core.dtypes import networks_of
from zoo.core.latent import chain_diagnostics
from zoo.core.networks import as_network
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.deep_latent import DeepLatentGaussianModel, variables_of
from zoo.parts.likelihoods import Likelihood
from zoo.parts.persistent_chains import PersistentChains, num_examples_of
from zoo.parts.step_size import AcceptanceStepSize


class Visited(NamedTuple):
    """What a training step knows of the chains of its examples.

    Attributes:
      z: their states, [1, B, K].
      visits: how often they were visited before, [B].
      was_due: 1 where the chain was moved, else 0, [B].
    """

    z: tf.Tensor
    visits: tf.Tensor
    was_due: tf.Tensor


@register(
    tiny={
        "latent_dim": 4,
        "hidden": (16,),
        "likelihood": {"name": "gaussian", "scale": 0.2},
        "num_leapfrog_steps": 4,
        "num_updates": 2,
        "num_inference_steps": 4,
    },
    paper=Paper(
        authors=("Wei, Greg C. G.", "Tanner, Martin A."),
        title=(
            "A Monte Carlo Implementation of the EM Algorithm and the Poor Man's Data Augmentation "
            "Algorithms"
        ),
        year=1990,
        venue="Journal of the American Statistical Association",
        kind="article",
    ),
)
class MCEM(DeepLatentGaussianModel):
    """Deep latent Gaussian model trained by Monte Carlo EM, without an encoder (MCEM).

    Every training example has a chain that goes on from visit to visit. E step: one transition of
    Hamiltonian Monte Carlo on log p(x, z), at the first of every `num_updates` visits of an
    example. M step: the decoder climbs log p(x, z) at the chains' states, at each of these visits.
    As Kingma and Welling (2014, appendix E) compare with it, a batch is the whole data set, 10
    leapfrog steps are followed by 5 updates, and the step size is tuned to an acceptance of 90 %.
    In smaller batches the same is done example by example.

    Args:
      decoder: Keras model from latents [N, K] to [N, ...event]: what the likelihood asks for.
      num_examples: chains that are kept, one for each `index` of the training data.
      likelihood: as `VAE`.
      num_steps: transitions in an E step.
      num_leapfrog_steps: of each.
      num_updates: visits of an example for an E step.
      num_inference_steps: transitions of the chains from the prior that infer latents outside of
        training, the first half of which tunes their own step size.
      target_accept: mean acceptance probability, below which the step size shrinks.
      adaptation_rate: the step size changes by this fraction per E step.
      step_size: at the start.
      min_step_size: the step size stays above.
      max_step_size: the step size stays below.
      **kwargs: `seed`.

    Raises:
      UsageError: for a value out of its range.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        num_examples: int,
        likelihood: str | dict | Likelihood = "bernoulli",
        num_steps: int = 1,
        num_leapfrog_steps: int = 10,
        num_updates: int = 5,
        num_inference_steps: int = 100,
        target_accept: float = 0.9,
        adaptation_rate: float = 0.02,
        step_size: float = 0.1,
        min_step_size: float = 0.001,
        max_step_size: float = 1.0,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, **kwargs)
        self.chain = {
            "num_steps": num_steps,
            "num_leapfrog_steps": num_leapfrog_steps,
            "num_updates": num_updates,
            "num_inference_steps": num_inference_steps,
        }
        check_count(num_examples=num_examples, **self.chain)
        start = self.prior.sample(num_examples, samplers.fold_in(self.seed, "chains"))
        self.chains = PersistentChains(start, name="chains", dtype=self.dtype)
        self.visits = PersistentChains(tf.zeros([num_examples]), name="visits", dtype=self.dtype)
        self.adaptation = AcceptanceStepSize(
            target_accept=target_accept,
            adaptation_rate=adaptation_rate,
            step_size=step_size,
            min_step_size=min_step_size,
            max_step_size=max_step_size,
            name="adaptation",
            dtype=self.dtype,
        )
        # Of the last E step, which is told of examples that were not moved, too.
        self.accept_rate = self.add_weight(
            name="accept_rate", shape=(), initializer="ones", trainable=False
        )

    @property
    def fields(self):
        return super().fields | {"index": self.chains.field}

    @property
    def step_size(self) -> keras.Variable:
        """Of the leapfrog steps."""
        return self.adaptation.value

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 16,
        hidden: Sequence[int] = (200, 200),
        activation: str = "softplus",
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with the decoder of `VAE.for_data`, and chains for the training data.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: number of latents K.
          hidden: units of each hidden layer of an encoder; those of the decoder in reverse order.
          activation: of the hidden layers.
          decoder: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor; `num_examples` is that of `data`, unless given.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        data = as_data(data)
        check_seed(seed=seed)
        check_count(latent_dim=latent_dim)
        check_counts(hidden=hidden)
        kwargs["num_examples"] = num_examples_of(data, kwargs.get("num_examples"))
        with networks_of(dtype):
            made = layers.mlp(
                (latent_dim,),
                tuple(reversed(hidden)),
                data.shape,
                activation=activation,
                seed=seed + 1000,
                name="decoder",
            )
        decoder = as_network("decoder", decoder or made, (latent_dim,))
        return cls(decoder, seed=seed, dtype=dtype, **kwargs)

    def infer(self, batch, num_samples, seed):
        """As the base, by Hamiltonian Monte Carlo from the prior."""
        return self._hmc_from_the_prior(
            batch, None, num_samples, self.chain["num_inference_steps"], seed
        )

    @property
    def num_completion_steps(self):
        return self.chain["num_inference_steps"]

    # Training.

    @property
    def parameter_groups(self):
        return {"generation": variables_of(self.decoder, self.observation_model)}

    def sample_latents(self, batch, context, seed):
        start = self.chains.at(batch["index"])[None]
        visits = self.visits.at(batch["index"])
        is_due = tf.equal(tf.math.floormod(visits, self.chain["num_updates"]), 0)

        def moved():
            result = samplers.hmc(
                lambda z: self.log_joint(batch, z),
                start,
                num_steps=self.chain["num_steps"],
                step_size=tf.convert_to_tensor(self.step_size),
                num_leapfrog_steps=self.chain["num_leapfrog_steps"],
                seed=seed,
            )
            return result.state, chain_diagnostics(result)

        zeros = tf.zeros_like(visits)
        told = dict.fromkeys(("accept_rate", "energy_error", "divergences"), zeros)
        z, diagnostics = tf.cond(tf.reduce_any(is_due), moved, lambda: (start, told))
        last = told | {"accept_rate": zeros + tf.convert_to_tensor(self.accept_rate)}
        diagnostics = {k: tf.where(is_due, v, last[k]) for k, v in diagnostics.items()}
        z = tf.where(is_due[None, :, None], z, start)
        latents = Visited(tf.ensure_shape(z, start.shape), visits, tf.cast(is_due, z.dtype))
        return latents, diagnostics

    def objectives(self, batch, context, latents, seed):
        log_joint = tf.reduce_mean(self.log_joint(batch, latents.z))
        metrics = {
            "log_joint": log_joint,
            "mse": self.squared_error(batch, latents.z),
            "step_size": self.step_size,
        }
        return {"generation": -log_joint}, metrics

    def state_statistics(self, batch, latents, diagnostics):
        return {
            "accept_rate": diagnostics["accept_rate"],
            "was_due": latents.was_due,
            "index": batch["index"],
            "latents": latents.z[0],
            "visits": latents.visits,
        }

    def next_state(self, statistics):
        was_due, index = statistics["was_due"], statistics["index"]
        total = tf.reduce_sum(was_due * statistics["accept_rate"])
        num_due = tf.reduce_sum(was_due)
        old = tf.convert_to_tensor(self.accept_rate)
        accept_rate = tf.where(num_due > 0, total / tf.maximum(num_due, 1), old)
        ((variable, step_size),) = self.adaptation.next_state(accept_rate)
        step_size = tf.where(num_due > 0, step_size, tf.convert_to_tensor(variable))
        return [
            (variable, step_size),
            (self.accept_rate, accept_rate),
            *self.chains.next_state(index, statistics["latents"]),
            *self.visits.next_state(index, statistics["visits"] + 1),
        ]

    def get_config(self):
        num_examples = self.chains.states.shape[0]
        return (
            super().get_config()
            | self.chain
            | self.adaptation.rule
            | {"num_examples": num_examples}
        )
