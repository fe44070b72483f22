"""M2 whose decoder learns from styles that Hamiltonian Monte Carlo refines."""

import tensorflow as tf

from zoo.core.latent import chain_diagnostics
from zoo.core.registry import register
from zoo.models.classifying import KINGMA_2014
from zoo.models.hmc_dlgm import HOFFMAN_2017
from zoo.models.m2 import M2, flat
from zoo.models.refinement import RefinedByHMC


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_classes": 10, "label_share": 0.1, "num_steps": 2},
    paper=(KINGMA_2014, HOFFMAN_2017),
)
class HMCM2(RefinedByHMC, M2):
    """M2 whose decoder learns from styles z that HMC refines, as in the HMC-DLGM.

    Encoder and classifier climb what they climb in M2. The decoder climbs log p(x, y, z_M), where a
    chain of `num_steps` HMC transitions on log p(x, y, z) starts at the encoder's own draw of
    q(z given x, y). An example has a chain for each class, whose term counts q(y given x), without
    a gradient of that, or of a labelled example 1 for its label and else 0. Where all are labelled
    there is the chain of the label alone.

    Args:
      encoder: as `M2`, and so are the other networks.
      decoder: as `M2`.
      classifier: as `M2`.
      posterior_network: as `M2`.
      **kwargs: those of the chain, as `RefinedByHMC`, and those of `M2`.
    """

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x) that a chain on log p(x, z) has refined."""
        q = self.posterior_distribution(batch)
        return self.refined_draws(
            lambda z: self.log_joint(batch, z),
            lambda key: q.sample(num_samples, seed=key),
            q.stddev(),
            seed,
        )

    # Training.

    @property
    def parameter_groups(self):
        return self.inference_and_generation

    def sample_latents(self, batch, context, seed):
        z = context["proposal"].z
        scale = tf.reshape(self.posterior_part.scale(flat(context["features"])), tf.shape(z))
        result = self.refine(lambda z: self.log_joint_of(batch, context["y"], z), z, scale, seed)
        return result.state, chain_diagnostics(result)

    def objectives(self, batch, context, latents, seed):
        inference, metrics = super().objectives(batch, context, latents, seed)
        weights = tf.stop_gradient(self.class_weights(batch, context)[0])
        log_joint = tf.reduce_sum(weights * self.log_joint_of(batch, context["y"], latents), 0)
        objectives = {"inference": inference["bound"], "generation": -tf.reduce_mean(log_joint)}
        return objectives, metrics | self.chain_metrics
