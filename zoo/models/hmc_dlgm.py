"""Deep latent Gaussian models trained with Hamiltonian Monte Carlo (Hoffman 2017)."""

import keras
import tensorflow as tf

import samplers
from zoo.core.checks import check_count, check_positive, check_share
from zoo.core.latent import chain_diagnostics, start_diagnostics
from zoo.core.registry import Paper, register
from zoo.models.vae import VAE
from zoo.parts.step_size import AcceptanceStepSize


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_steps": 2},
    paper=Paper(
        authors=("Hoffman, Matthew D.",),
        title="Learning Deep Latent Gaussian Models with Markov Chain Monte Carlo",
        year=2017,
        venue="Proceedings of the 34th International Conference on Machine Learning",
    ),
)
class HMCDLGM(VAE):
    """Deep latent Gaussian model whose decoder learns from posterior samples that HMC refines.

    It is a VAE, trained by algorithm 2 of Hoffman (2017): for each example a chain of `num_steps`
    HMC transitions on log p(x, z) starts at the encoder's own draw z_0 and ends at z_M. Encoder and
    shear climb the one-sample bound at z_0, the decoder climbs log p(x, z_M). More transitions
    trade computation for less bias; none is a VAE.

    Step sizes are eps_0 sigma(x) per example and dimension, with ceil(trajectory / eps_0) leapfrog
    steps. After each minibatch eps_0 shrinks if the worst example's acceptance probability,
    averaged over its transitions, is below `target_accept`, and else grows. (Acceptance
    probabilities, not 0/1 outcomes: with few transitions some example is always rejected.)

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
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
      shear: whether to learn the shear A.
      **kwargs: `likelihood`, `posterior`, `prior` and `seed`, as `VAE`.

    The scan of the paper that we know has lost its constants; the defaults are ours.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_steps: int = 5,
        trajectory: float = 1.5,
        max_num_leapfrog_steps: int = 25,
        jitter: float = 0.0,
        target_accept: float = 0.25,
        adaptation_rate: float = 0.02,
        step_size: float = 0.1,
        min_step_size: float = 0.01,
        max_step_size: float = 1.0,
        shear: bool = True,
        **kwargs,
    ):
        super().__init__(encoder, decoder, shear=shear, **kwargs)
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

    def refine(self, batch, features, z, seed) -> samplers.HMCResult:
        """Runs the chain on log p(x, z).

        Args:
          batch: what the model explains, [B, ...] each.
          features: of the encoder, [B, F], whose posterior says the scales of the steps.
          z: where chains start, [S, B, K].
          seed: int or int32[2].

        Returns:
          Where they ended, and how they went.
        """
        return samplers.hmc(
            lambda z: self.log_joint(batch, z),
            z,
            num_steps=self.chain["num_steps"],
            step_size=self.step_size * self.posterior_part.scale(features),
            num_leapfrog_steps=self.num_leapfrog_steps,
            jitter=self.chain["jitter"],
            seed=seed,
        )

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x) that the chain has refined, [S, B, K]."""
        features = self.features(batch["x"])
        seeds = samplers.fold_in(seed, "amortise"), samplers.fold_in(seed, "refine")
        start = samplers.finite_start(
            lambda z: self.log_joint(batch, z),
            lambda key: self.posterior_part.propose(features, num_samples, key).z,
            seeds[0],
        )
        result = self.refine(batch, features, start.state, seeds[1])
        return result.state, chain_diagnostics(result) | start_diagnostics(start)

    # Training.

    @property
    def parameter_groups(self):
        return self.inference_and_generation

    def sample_latents(self, batch, context, seed):
        result = self.refine(batch, context["features"], context["proposal"].z, seed)
        return result.state, chain_diagnostics(result)

    def objectives(self, batch, context, latents, seed):
        inference, metrics = super().objectives(batch, context, latents, seed)
        generation = -tf.reduce_mean(self.log_joint(batch, latents))
        metrics |= {"step_size": self.step_size, "leapfrog_steps": self.num_leapfrog_steps}
        return {"inference": inference["elbo"], "generation": generation}, metrics

    def state_statistics(self, batch, latents, diagnostics):
        return {"accept_rate": diagnostics["accept_rate"]}

    def next_state(self, statistics):
        return self.adaptation.next_state(tf.reduce_min(statistics["accept_rate"]))

    def get_config(self):
        return super().get_config() | self.chain | self.adaptation.rule
