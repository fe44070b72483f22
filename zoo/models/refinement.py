"""The base of methods whose decoder learns from latents that HMC refines (Hoffman 2017)."""

from collections.abc import Callable

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import check_count, check_positive, check_share
from zoo.core.latent import chain_diagnostics, start_diagnostics
from zoo.core.trainable import TrainableModel
from zoo.parts.step_size import AcceptanceStepSize


class RefinedByHMC(TrainableModel):
    """Chains of HMC that start at an encoder's draws, and the step size that follows them.

    Step sizes are eps_0 sigma(x) per example and dimension, with ceil(trajectory / eps_0) leapfrog
    steps. After each minibatch eps_0 shrinks if the worst example's acceptance probability,
    averaged over its transitions, is below `target_accept`, and else grows. (Acceptance
    probabilities, not 0/1 outcomes: with few transitions some example is always rejected.)

    Args:
      *networks: of the method that is refined.
      num_steps: transitions M.
      trajectory: length of a transition in units of sigma(x); a quarter period is pi / 2.
      max_num_leapfrog_steps: bound on the leapfrog steps.
      jitter: every transition of every chain multiplies its step size by a random number in
        [1 - jitter, 1 + jitter), without which trajectories of one length resonate where the
        posterior is nearly Gaussian (Neal 2011, section 5.4.2.2).
      target_accept: of the worst example.
      adaptation_rate: eps_0 changes by this fraction per minibatch.
      step_size: eps_0 at the start.
      min_step_size: eps_0 stays above.
      max_step_size: eps_0 stays below.
      **kwargs: as the method that is refined.
    """

    def __init__(
        self,
        *networks: keras.Model,
        num_steps: int = 5,
        trajectory: float = 1.5,
        max_num_leapfrog_steps: int = 25,
        jitter: float = 0.0,
        target_accept: float = 0.25,
        adaptation_rate: float = 0.02,
        step_size: float = 0.1,
        min_step_size: float = 0.01,
        max_step_size: float = 1.0,
        **kwargs,
    ):
        super().__init__(*networks, **kwargs)
        check_count(num_steps=num_steps, max_num_leapfrog_steps=max_num_leapfrog_steps)
        check_positive(trajectory=trajectory)
        check_share(jitter=jitter)
        self.chain = {
            "num_steps": num_steps,
            "trajectory": trajectory,
            "max_num_leapfrog_steps": max_num_leapfrog_steps,
            "jitter": jitter,
        }
        self.adaptation = AcceptanceStepSize(
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
        """eps_0."""
        return self.adaptation.value

    @property
    def num_leapfrog_steps(self) -> tf.Tensor:
        """ceil(trajectory / eps_0), at most `max_num_leapfrog_steps`."""
        steps = tf.math.ceil(self.chain["trajectory"] / self.step_size)
        # Bounded before the cast, too: of more than an int32 holds that makes negative numbers.
        steps = tf.cast(tf.minimum(steps, 2.0**30), tf.int32)
        return tf.minimum(steps, self.chain["max_num_leapfrog_steps"])

    @property
    def chain_metrics(self) -> dict[str, tf.Tensor]:
        """What a training step reports of its chains' steps."""
        return {"step_size": self.step_size, "leapfrog_steps": self.num_leapfrog_steps}

    def refine(
        self, log_density: Callable, z: tf.Tensor, scale: tf.Tensor, seed: Seed
    ) -> samplers.HMCResult:
        """Runs the chains.

        Args:
          log_density: nats, of latents [S, B, K].
          z: where they start, [S, B, K].
          scale: sigma(x), to which step sizes are proportional, [B, K] or [S, B, K].
          seed: int or int32[2].

        Returns:
          Where they ended, and how they went.
        """
        return samplers.hmc(
            log_density,
            z,
            num_steps=self.chain["num_steps"],
            step_size=self.step_size * scale,
            num_leapfrog_steps=self.num_leapfrog_steps,
            jitter=self.chain["jitter"],
            seed=seed,
        )

    def refined_draws(
        self, log_density: Callable, draw: Callable, scale: tf.Tensor, seed: Seed
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Draws latents and refines them, as a method's `infer` does.

        Args:
          log_density: as `refine`.
          draw: from a seed to latents [S, B, K], where chains may start.
          scale: as `refine`.
          seed: int or int32[2].

        Returns:
          Latents [S, B, K], and diagnostics of shape [B].
        """
        seeds = samplers.fold_in(seed, "amortise"), samplers.fold_in(seed, "refine")
        start = samplers.finite_start(log_density, draw, seeds[0])
        result = self.refine(log_density, start.state, scale, seeds[1])
        return result.state, chain_diagnostics(result) | start_diagnostics(start)

    def state_statistics(self, batch, latents, diagnostics):
        return {"accept_rate": diagnostics["accept_rate"]}

    def next_state(self, statistics):
        return self.adaptation.next_state(tf.reduce_min(statistics["accept_rate"]))

    def get_config(self):
        return super().get_config() | self.chain | self.adaptation.rule
