"""Deep latent Gaussian models trained with Hamiltonian Monte Carlo (Hoffman 2017)."""

import keras
import tensorflow as tf

from zoo.core.latent import chain_diagnostics
from zoo.core.registry import Paper, register
from zoo.models.refinement import RefinedByHMC
from zoo.models.vae import VAE

HOFFMAN_2017 = Paper(
    authors=("Hoffman, Matthew D.",),
    title="Learning Deep Latent Gaussian Models with Markov Chain Monte Carlo",
    year=2017,
    venue="Proceedings of the 34th International Conference on Machine Learning",
)


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_steps": 2},
    paper=HOFFMAN_2017,
)
class HMCDLGM(RefinedByHMC, VAE):
    """Deep latent Gaussian model whose decoder learns from posterior samples that HMC refines.

    It is a VAE, trained by algorithm 2 of Hoffman (2017): for each example a chain of `num_steps`
    HMC transitions on log p(x, z) starts at the encoder's own draw z_0 and ends at z_M. Encoder and
    shear climb the one-sample bound at z_0, the decoder climbs log p(x, z_M). More transitions
    trade computation for less bias; none is a VAE.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      shear: whether to learn the shear A.
      **kwargs: those of the chain, as `RefinedByHMC`; `likelihood`, `posterior`,
        `prior` and `seed`, as `VAE`.

    The scan of the paper that we know has lost its constants; the defaults are ours.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        shear: bool = True,
        **kwargs,
    ):
        super().__init__(encoder, decoder, shear=shear, **kwargs)

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x) that the chain has refined, [S, B, K]."""
        features = self.features(batch["x"])
        return self.refined_draws(
            lambda z: self.log_joint(batch, z),
            lambda key: self.posterior_part.propose(features, num_samples, key).z,
            self.posterior_part.scale(features),
            seed,
        )

    # Training.

    @property
    def parameter_groups(self):
        return self.inference_and_generation

    def sample_latents(self, batch, context, seed):
        result = self.refine(
            lambda z: self.log_joint(batch, z),
            context["proposal"].z,
            self.posterior_part.scale(context["features"]),
            seed,
        )
        return result.state, chain_diagnostics(result)

    def objectives(self, batch, context, latents, seed):
        inference, metrics = super().objectives(batch, context, latents, seed)
        generation = -tf.reduce_mean(self.log_joint(batch, latents))
        objectives = {"inference": inference["elbo"], "generation": generation}
        return objectives, metrics | self.chain_metrics
