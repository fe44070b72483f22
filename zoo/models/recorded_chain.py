"""The base of methods that learn through a chain: its weight has a gradient, which all climb."""

from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_count, check_flag
from zoo.models.vae import VAE


class Moved(NamedTuple):
    """What a chain made of draws z_0 of q(z given x); see `samplers.scored_paths`.

    Attributes:
      z: z_T, [S, B, K].
      log_joint: log p(x, z_T) in nats, [S, B].
      log_ratio: the sum over steps of log reverse - log forward, nats, [S, B].
      log_choice: the log probability of what was accepted and rejected, [S, B]; None of a chain
        that chooses nothing.
      moves: how every step went, [T, S, B] each, numbers alone; None likewise.
    """

    z: tf.Tensor
    log_joint: tf.Tensor
    log_ratio: tf.Tensor
    log_choice: tf.Tensor | None = None
    moves: samplers.TransitionInfo | None = None


class RecordedChain(VAE):
    """The base of VAEs whose draw of q(z given x) a chain moves, with a gradient through the chain.

    A chain z_0 ~ q(z given x), z_t ~ forward(z_t given z_{t-1}), t = 1 ... T, is scored by reverse
    kernels,

        log w = log p(x, z_T) - log q(z_0 given x)
                + sum_t [log reverse(z_{t-1} given z_t) - log forward(z_t given z_{t-1})],

    so that E[w] = p(x), and the mean of log w is a bound which decoder, encoder and kernels climb
    together (Salimans, Kingma and Welling 2015, eq. 7). No step is the bound of the VAE. A method
    says what the kernels are.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_samples: chains S of each example, over which the bound is averaged.
      recompute: whether each step is computed once more for its gradient, so that memory is that
        of one step and of the states of the others. Programs that XLA compiles always do.
      **kwargs: `likelihood`, `posterior`, `prior`, `shear` and `seed`, as `VAE`.

    Raises:
      UsageError: as `VAE`, and for a value out of its range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_samples: int = 1,
        recompute: bool = True,
        **kwargs,
    ):
        if kwargs.get("annealing_steps"):
            raise UsageError(
                "annealing_steps must be left out: a chain's bound is climbed as it is."
            )
        super().__init__(encoder, decoder, **kwargs)
        check_count(num_samples=num_samples)
        check_flag(recompute=recompute)
        self.num_samples, self.recompute = num_samples, bool(recompute)

    @property
    def recomputes(self) -> bool:
        """Whether steps are computed once more: densities of TFP need it in what XLA compiles."""
        return self.recompute or bool(self.jit_compile)

    @property
    def length(self) -> int:
        """How many steps the chains have."""
        raise NotImplementedError

    def move(
        self,
        batch: dict,
        features: tf.Tensor,
        z: tf.Tensor,
        seed: Seed,
        num_steps: int,
    ) -> Moved:
        """Runs the chains of a method; a gradient flows through all of it.

        Args:
          batch: what the model explains, [B, ...] each.
          features: of the encoder, [B, F].
          z: z_0, draws of q(z given x), [S, B, K].
          seed: int or int32[2].
          num_steps: the first so many steps are made, at most `length`.

        Returns:
          Where the chains ended, and the ratio of their kernels.
        """
        raise NotImplementedError

    def paths(
        self, batch: dict, num_samples: int, seed: Seed, num_steps: int | None = None
    ) -> tuple[tf.Tensor, Moved]:
        """Draws chains with their weights.

        Args:
          batch: what the model explains, [B, ...] each.
          num_samples: S.
          seed: int or int32[2].
          num_steps: only the first so many steps are made; all by default.

        Returns:
          log w in nats, [S, B], and the chains.
        """
        features = self.features(batch["x"])
        key = samplers.fold_in(seed, "start")
        z, log_q, _ = self.posterior_part.propose(features, num_samples, key)
        num_steps = self.length if num_steps is None else num_steps
        moved = self.move(batch, features, z, samplers.fold_in(seed, "chain"), num_steps)
        return moved.log_joint - log_q + moved.log_ratio, moved

    def states(self, batch: dict, num_samples: int, seed: Seed) -> tf.Tensor:
        """Where the chains of `paths`, of the same arguments, are from step to step.

        Returns:
          z_0, ..., z_T, [T + 1, S, B, K].
        """
        counts = range(self.length + 1)
        return tf.stack([self.paths(batch, num_samples, seed, n)[1].z for n in counts])

    def log_weights(self, batch, num_samples, seed):
        """As the base, of chains: log w, [S, B]."""
        return self.paths(batch, num_samples, seed)[0]

    def infer(self, batch, num_samples, seed):
        """As the base, by the ends of chains, [S, B, K]."""
        _, moved = self.paths(batch, num_samples, seed)
        return moved.z, _move_diagnostics(moved)

    # Training.

    def amortise(self, batch, seed):
        log_weights, moved = self.paths(batch, self.num_samples, seed)
        return {"log_weights": log_weights, "moved": moved}

    def sample_latents(self, batch, context, seed):
        """There is nothing to sample that the bound does not depend on."""
        return context["moved"].moves, _move_diagnostics(context["moved"])

    def objectives(self, batch, context, latents, seed):
        bound = tf.reduce_mean(context["log_weights"])
        return {"elbo": -bound}, {"bound": bound} | self.chain_metrics

    @property
    def chain_metrics(self) -> dict[str, tf.Tensor]:
        """What a training step reports of its chains' kernels."""
        return {"mean_step_size": tf.reduce_mean(self.step_size)} if self.length else {}

    def get_config(self):
        return super().get_config() | {
            "num_samples": self.num_samples,
            "recompute": self.recompute,
        }


def _move_diagnostics(moved):
    """What the steps of a chain that chooses tell of themselves, [B] each."""
    if moved.moves is None:
        return {}
    return {
        "accept_rate": tf.reduce_mean(moved.moves.accept_prob, [0, 1]),
        "energy_error": tf.reduce_mean(moved.moves.energy_error, [0, 1]),
        "divergences": tf.reduce_sum(moved.moves.is_divergent, [0, 1]),
    }
