"""Decoders that learn from weighted, annealed samples (Ding and Freedman 2020), and special cases.

One algorithm: draw K samples of q(z given x), anneal each to p(x, z), weigh them, and let the
decoder climb the weighted mean of log p(x, z). What the special cases fix:

    VAE     K = 1, one increment, no move
    IWAE    one increment, no move; the encoder climbs the importance-weighted bound
    MH-HMC  inverse temperatures 0, 1, ..., 1; equal weights

VAE and IWAE have files of their own; tests hold them equal to this algorithm bit for bit.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from zoo.core import annealing
from zoo.core.checks import check_choice, check_count, check_flag
from zoo.core.latent import Proposal, start_diagnostics
from zoo.core.registry import Paper, register
from zoo.models.vae import VAE
from zoo.parts.posterior import check_scores_any_z
from zoo.parts.step_size import AcceptanceStepSize

SCHEDULES = annealing.SCHEDULES | {"jump": samplers.jump_schedule}
WEIGHTS = ("annealed", "equal")
DING = Paper(
    authors=("Ding, Xinqiang", "Freedman, David J."),
    title="Learning Deep Generative Models with Annealed Importance Sampling",
    year=2020,
    venue="Symposium on Advances in Approximate Bayesian Inference",
)


class WeightedSamples(NamedTuple):
    """What the decoder learns from, drawn off the tape.

    Attributes:
      z: the ends of the chains, [K, B, ...].
      weights: which sum to one over the chains of an example, [K, B].
      accept_prob: acceptance probability of every move, averaged over chains, [moves, B].
    """

    z: tf.Tensor
    weights: tf.Tensor
    accept_prob: tf.Tensor


class AnnealedTraining(VAE):
    """The base of methods whose decoder learns from annealed chains: `AnnealedVAE` and `MHHMC`.

    K chains per example start at draws z^0 of q(z given x) and pass the densities
    q(z given x)^(1 - b_t) p(x, z)^(b_t), t = 1 ... T, with one HMC move each. The decoder climbs
    sum_k w_k log p(x, z_k^T) with weights that sum to one, the encoder the one-sample bound at the
    first chain's z^0. More chains and more increments both trade computation for less bias, in
    constant memory. A method says what the temperatures and the weights are.

    Every move has a step size of its own, which shrinks after a minibatch in which its acceptance
    probability, averaged over chains and examples, was below `target_accept`, and else grows.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_samples: chains K.
      num_increments: T, steps between temperatures. (The paper's tables seem to count
        temperatures: its T = 5 and T = 11 are 4 and 10 increments.)
      num_leapfrog_steps: L, of each move.
      last_move: whether chains move once more after their last weight, at temperature 1.
      target_accept: mean acceptance probability of a move.
      adaptation_rate: a step size changes by this fraction per minibatch.
      step_size: of all moves at the start.
      min_step_size: step sizes stay above.
      max_step_size: step sizes stay below.
      **kwargs: `likelihood`, `posterior`, `prior`, `shear` and `seed`, as `VAE`.

    Raises:
      UsageError: as `VAE`, and for a value out of its range.

    The defaults of the sampler are those of the authors' code.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_samples: int = 5,
        num_increments: int = 4,
        num_leapfrog_steps: int = 5,
        last_move: bool = True,
        target_accept: float = 0.6,
        adaptation_rate: float = 0.002,
        step_size: float = 0.1,
        min_step_size: float = 0.001,
        max_step_size: float = 0.3,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_scores_any_z(self.posterior_part)
        self.annealing = {
            "num_samples": num_samples,
            "num_increments": num_increments,
            "num_leapfrog_steps": num_leapfrog_steps,
        }
        check_count(**self.annealing)
        check_flag(last_move=last_move)
        self.annealing["last_move"] = bool(last_move)
        self.num_samples = num_samples
        self.num_moves = num_increments if last_move else num_increments - 1
        self.adaptation = AcceptanceStepSize(
            shape=(self.num_moves,),
            target_accept=target_accept,
            adaptation_rate=adaptation_rate,
            step_size=step_size,
            min_step_size=min_step_size,
            max_step_size=max_step_size,
            name="adaptation",
            dtype=self.dtype,
        )

    @property
    def step_size(self) -> keras.Variable:
        """Of each move, [moves]."""
        return self.adaptation.value

    def schedule_of(self, num_increments: int) -> tf.Tensor:
        """Makes the inverse temperatures.

        Args:
          num_increments: T.

        Returns:
          They rise from 0 to 1, [T + 1].
        """
        raise NotImplementedError

    def weigh(self, log_weights: tf.Tensor) -> tf.Tensor:
        """Makes weights that sum to one over K chains.

        Args:
          log_weights: of annealing, [K, ...].

        Returns:
          The weights, [K, ...].
        """
        raise NotImplementedError

    def anneal(self, batch, proposal: Proposal, seed) -> samplers.AISResult:
        """Anneals draws of the posterior to p(x, z).

        Args:
          batch: what the model explains, [B, ...] each.
          proposal: draws [S, B, ...] with their density.
          seed: int or int32[2].

        Returns:
          Chains [S, B], with their weights.
        """
        return samplers.annealed_importance_sampling(
            proposal.q.log_prob,
            lambda z: self.log_joint(batch, z),
            proposal.z,
            self.schedule_of(self.annealing["num_increments"]),
            move=samplers.hamiltonian_move(self.annealing["num_leapfrog_steps"]),
            step_size=tf.convert_to_tensor(self.step_size) if self.num_moves else 0.0,
            last_move=self.annealing["last_move"],
            seed=seed,
        )

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q_AIS, each one of K chains by its weight (alg. 2)."""
        features, count = self.encoder(batch["x"]), num_samples * self.num_samples
        start = samplers.finite_start(
            lambda z: self.log_joint(batch, z),
            lambda key: self.posterior_part.propose(features, count, key).z,
            samplers.fold_in(seed, "amortise"),
        )
        q = self.posterior_part.distribution(features)
        proposal = Proposal(start.state, q.log_prob(start.state), q)
        result = self.anneal(batch, proposal, samplers.fold_in(seed, "anneal"))

        def by_chain(value):  # [K S, ...] -> [K, S, ...]
            return tf.reshape(value, [self.num_samples, num_samples, -1, *value.shape[2:]])

        weights = self.weigh(by_chain(result.log_weights))
        z = samplers.resample(
            by_chain(result.state),
            tf.math.log(weights),
            samplers.fold_in(seed, "resample"),
        )
        return z, self._move_diagnostics(result) | start_diagnostics(start)

    # Training.

    @property
    def parameter_groups(self):
        return self.inference_and_generation

    def amortise(self, batch, seed):
        return {"proposal": self.propose(batch, self.num_samples, seed)}

    def sample_latents(self, batch, context, seed):
        result = self.anneal(batch, context["proposal"], seed)
        dtype = result.step_size.dtype
        latents = WeightedSamples(
            z=result.state,
            weights=tf.cast(self.weigh(result.log_weights), dtype),
            accept_prob=result.accept_prob[:, 0],
        )
        diagnostics = {
            "importance_weighted_bound": tf.cast(samplers.log_mean_exp(result.log_weights), dtype),
            "effective_sample_size": samplers.effective_sample_size(latents.weights),
        }
        return latents, diagnostics | self._move_diagnostics(result)

    def objectives(self, batch, context, latents, seed):
        log_joint = self.log_joint(batch, latents.z)
        generation = -tf.reduce_mean(tf.reduce_sum(latents.weights * log_joint, 0))
        z, _, q = context["proposal"]
        first = z[:1]  # once, or gradients would be summed in another order than the VAE's
        context = context | {"proposal": Proposal(first, q.log_prob(first), q)}
        inference, metrics = super().objectives(batch, context, latents, seed)
        if self.num_moves:
            metrics |= {"mean_step_size": tf.reduce_mean(self.step_size)}
        return {"inference": inference["elbo"], "generation": generation}, metrics

    def state_statistics(self, batch, latents, diagnostics):
        return {"accept_prob": tf.transpose(latents.accept_prob)} if self.num_moves else {}

    def next_state(self, statistics):
        if not self.num_moves:
            return []
        return self.adaptation.next_state(tf.reduce_mean(statistics["accept_prob"], 0))

    def _move_diagnostics(self, result):
        """What the moves tell of themselves, [B] each: means, and how many diverged."""
        if not self.num_moves:
            return {}
        return {
            "accept_rate": tf.reduce_mean(result.accept_prob, [0, 1]),
            "energy_error": tf.reduce_mean(result.energy_error, [0, 1]),
            "divergences": tf.cast(
                tf.reduce_sum(result.num_divergences, [0, 1]), result.accept_prob.dtype
            ),
        }

    def get_config(self):
        return super().get_config() | self.annealing | self.adaptation.rule


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 2, "num_increments": 3}, paper=DING
)
class AnnealedVAE(AnnealedTraining):
    """VAE whose decoder learns by annealed importance sampling.

    It is algorithm 1 of Ding and Freedman (2020): w_k is the annealed importance weight of chain k,
    and the decoder climbs sum_k w_k log p(x, z_k^T) / sum_k w_k.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      schedule: "linear" as the paper, "sigmoid", or "jump": 0, 1, ..., 1.
      weights: "annealed" importance weights, or "equal" ones.
      **kwargs: as the base.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        schedule: str = "linear",
        weights: str = "annealed",
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.schedule = check_choice("schedule", schedule, SCHEDULES)
        self.weights_of_chains = check_choice("weights", weights, WEIGHTS)

    def schedule_of(self, num_increments):
        return SCHEDULES[self.schedule](num_increments)

    def weigh(self, log_weights):
        if self.weights_of_chains == "equal":
            log_weights = tf.zeros_like(log_weights)
        return tf.nn.softmax(log_weights, 0)

    def get_config(self):
        config = {"schedule": self.schedule, "weights": self.weights_of_chains}
        return super().get_config() | config


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 2, "num_increments": 2}, paper=DING
)
class MHHMC(AnnealedTraining):
    """VAE whose decoder learns from several HMC chains of equal weight (MH-HMC).

    It is the estimator of Hoffman (2017) with K chains instead of one, and with the sampler of
    `AnnealedVAE`, as Ding and Freedman (2020) compare with it: every one of the `num_increments`
    moves is at temperature 1 and leaves p(z given x) invariant.
    """

    def schedule_of(self, num_increments):
        return samplers.jump_schedule(num_increments)

    def weigh(self, log_weights):
        return tf.nn.softmax(tf.zeros_like(log_weights), 0)
