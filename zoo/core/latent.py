"""The base of models with latents: inference, completion and scores from a joint density."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core import watching
from zoo.core.abilities import ability, defines, follows_from
from zoo.core.annealing import Annealing, ImportanceSampling
from zoo.core.decoding import DecodingModel
from zoo.core.generative import flagged
from zoo.core.log_likelihood import EstimatesLogLikelihood

tfd = tfp.distributions

# Of chains that only infer, on any model.
FIRST_STEP_SIZE = 0.1
TRAJECTORIES = {"num_leapfrog_steps": 10, "jitter": 0.5}


class Proposal(NamedTuple):
    """Draws of latents with their log density.

    Attributes:
      z: [S, B, ...].
      log_q: nats, [S, B]: what is subtracted from log p(x, z) for a log weight.
      q: the density that they were drawn from, where it can score any z.
    """

    z: tf.Tensor
    log_q: tf.Tensor
    q: tfd.Distribution | None = None


class LatentVariableModel(EstimatesLogLikelihood, DecodingModel):
    """A model with a density of latents: `prior`, `likelihood(z)`, and a way to infer z given x.

    From these come `log_joint`, `reconstruct`, `inpaint`, `encode` and `log_likelihood`. All sums
    run over the event, so that densities have the shape [S, B]: samples first, then the batch.
    """

    _protocol = None

    @property
    @ability
    def prior(self) -> tfd.Distribution:
        """p(z), event shape that of one example's latents."""
        raise NotImplementedError

    @ability
    def posterior_distribution(self, batch: dict) -> tfd.Distribution:
        """q(z given x) of an encoder, a density that can score any z; batch shape [B]."""
        raise NotImplementedError

    @ability
    def propose(self, batch: dict, num_samples: int, seed: Seed) -> Proposal:
        """Draws of the model's own proposal with their density."""
        raise NotImplementedError

    @ability
    def likelihood(self, z: tf.Tensor) -> tfd.Independent:
        """p(x given z) in pixels in [0, 1], batch shape [S, B]."""
        raise NotImplementedError

    @follows_from("propose")
    def log_weights(self, batch: dict, num_samples: int, seed: Seed) -> tf.Tensor:
        """Log p(x, z) - log q(z given x) at draws of the proposal: E[exp] = p(x), nats, [S, B]."""
        proposal = self.propose(batch, num_samples, seed)
        return self.log_joint(batch, proposal.z) - proposal.log_q

    def log_joint(self, batch: dict, z: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """Log p(x, z) in nats, [S, B]; with a mask, log p(z) + log p(visible pixels given z)."""
        if visible is None:
            return self.prior.log_prob(z) + self.likelihood(z).log_prob(batch["x"])
        return self.prior.log_prob(z) + self.log_prob_where(batch, z, visible)

    def log_prob_where(self, batch: dict, z: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Log p(x given z) of the pixels where the mask is True, in nats, [S, B]."""
        log_prob = tf.where(mask, self.likelihood(z).distribution.log_prob(batch["x"]), 0.0)
        return tf.reduce_sum(log_prob, tf.range(-len(self.fields["x"].shape), 0))

    @follows_from("likelihood")
    def expected(self, z: tf.Tensor) -> tf.Tensor:
        return self.likelihood(z).mean()

    @ability
    def bits_per_dim(self, log_likelihood: float) -> float | None:
        """A log-likelihood of an image, in nats, as bits per dimension; None where x is real."""
        raise NotImplementedError

    @property
    def protocol(self) -> Annealing | ImportanceSampling:
        """How log p(x) is estimated: by annealing where latents are continuous, which can be set.

        Chains start at the posterior of models that have one which can score any z.
        """
        if self._protocol is not None:
            return self._protocol
        if not self.can_be_annealed:
            return ImportanceSampling()
        start = "posterior" if defines(self, "posterior_distribution") else "prior"
        return Annealing(start=start)

    @protocol.setter
    def protocol(self, protocol):
        self._protocol = protocol

    @property
    def can_be_annealed(self) -> bool:
        """Whether the prior is a density that Hamiltonian moves can follow."""
        if not defines(self, "prior"):
            return False
        return self.prior.reparameterization_type == tfd.FULLY_REPARAMETERIZED

    def infer(self, batch, num_samples, seed):
        """As the base; here by the chain of `complete` on all of x."""
        return self._hmc_from_the_prior(batch, None, num_samples, 100, seed)

    def complete(self, batch, visible, num_samples, num_steps, seed):
        """As the base, whatever the encoder.

        Here by Hamiltonian Monte Carlo from the prior: `num_steps` transitions of 10 leapfrog
        steps, of which the first half tunes the step size. From two chains up `r_hat` is among the
        diagnostics, which is above 1.05 where they do not agree.
        """
        return self._hmc_from_the_prior(batch, visible, num_samples, num_steps, seed)

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        return self._drawn(self.likelihood(z), seed, sample_axis)

    @staticmethod
    def _drawn(pixels, seed, sample_axis=0):
        draw = pixels.sample(seed=samplers.fold_in(seed, "draw"))
        return flagged(
            {
                "x": tf.squeeze(draw, sample_axis),
                "mean": tf.squeeze(pixels.mean(), sample_axis),
            }
        )

    def _hmc_from_the_prior(self, batch, visible, num_samples, num_steps, seed):
        start = self.start_from_the_prior(batch, num_samples, seed, visible)
        z, told = tuned_hmc(
            lambda z: self.log_joint(batch, z, visible),
            start.state,
            num_steps,
            self.shown(batch, num_samples, visible),
            samplers.fold_in(seed, "hmc"),
        )
        return z, told | start_diagnostics(start)

    def shown(
        self, batch: dict, num_samples: int, visible: tf.Tensor | None = None
    ) -> Callable | None:
        """What chains show, that it be seen whether they agree: log p(x, z) and E[x given z].

        Args:
          batch: what the model explains, [B, ...] each.
          num_samples: S, chains of each example.
          visible: bool, like x; only these pixels count. None for all.

        Returns:
          A function of z [S, B, ...]; None of one chain, which nothing can be held against, unless
          somebody watches it.
        """
        if not is_shown(num_samples):
            return None

        def show(z):
            expected = self.expected_again(batch, z, visible)
            watching.show(expected)
            return [self.log_joint(batch, z, visible), expected]

        return show

    def start_from_the_prior(
        self, batch: dict, num_samples: int, seed: Seed, visible: tf.Tensor | None = None
    ) -> samplers.Start:
        """Draws where chains start that only infer: of p(z), where log p(x, z) is finite.

        Args:
          batch: what the model explains, [B, ...] each.
          num_samples: S.
          seed: int or int32[2].
          visible: bool, like x; only these pixels count. None for all.

        Returns:
          The start of chains [S, B].
        """
        size = tf.shape(batch["x"])[0]
        return samplers.finite_start(
            lambda z: self.log_joint(batch, z, visible),
            lambda key: self.prior.sample([num_samples, size], key),
            samplers.fold_in(seed, "prior"),
        )


def is_shown(num_samples: int | tf.Tensor) -> bool:
    """Whether chains show themselves: several, by which it is seen whether they agree, or watched
    ones.
    """
    return watching.is_watched() or not tf.is_tensor(num_samples) and num_samples > 1


def tuned_hmc(
    log_density: Callable,
    state: tf.Tensor,
    num_steps: int | tf.Tensor,
    show: Callable | None,
    seed: Seed,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Hamiltonian Monte Carlo of 10 leapfrog steps, the first half of which tunes the step size.

    Args:
      log_density: nats, of states [S, B, ...].
      state: where chains start.
      num_steps: transitions.
      show: as `samplers.hmc`.
      seed: int or int32[2].

    Returns:
      Where they ended, and diagnostics of shape [B]: with what was shown, `r_hat` among them.
    """
    result = samplers.hmc(
        log_density,
        state,
        num_steps=num_steps,
        step_size=FIRST_STEP_SIZE,
        **TRAJECTORIES,
        num_adaptation_steps=num_steps // 2,
        show=show,
        seed=seed,
    )
    return result.state, chain_diagnostics(result) | agreement(result.halves, num_steps)


def chain_diagnostics(result: samplers.HMCResult) -> dict[str, tf.Tensor]:
    """What chains [S, B, ...] tell of themselves, [B] each: means over samples, and the number of
    transitions that diverged.
    """
    return {
        "accept_rate": tf.reduce_mean(result.accept_prob, 0),
        "energy_error": tf.reduce_mean(result.energy_error, 0),
        "divergences": tf.cast(tf.reduce_sum(result.num_divergences, 0), result.accept_prob.dtype),
    }


def agreement(halves: samplers.Halves | tuple[()], num_steps: int) -> dict[str, tf.Tensor]:
    """How well the chains of each example agree, `r_hat` [B]; nothing where nothing was shown."""
    return {"r_hat": samplers.split_r_hat(halves, num_steps)} if halves else {}


def start_diagnostics(start: samplers.Start) -> dict[str, tf.Tensor]:
    """What the starts of chains [S, B] tell, [B] each: how many draws were thrown away since
    log p(x, z) was not finite there, and how many chains found no other and are stuck.
    """
    dtype = tf.nest.flatten(start.state)[0].dtype
    return {
        "restarts": tf.cast(tf.reduce_sum(start.num_restarts, 0), dtype),
        "stuck": tf.reduce_sum(tf.cast(start.is_stuck, dtype), 0),
    }
