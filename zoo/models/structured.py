"""Structured output prediction with binary latents: half an image given the other half."""

import math

import numpy as np
import tensorflow as tf

import samplers
from zoo import data
from zoo.core.checks import check_count_or_0, check_positive
from zoo.core.compiled import compiled_method
from zoo.core.fields import PixelField
from zoo.core.generative import uncompiled
from zoo.core.registry import register
from zoo.core.request_fields import MaskField
from zoo.models.binary_latent import BinaryLatentModel
from zoo.models.dvae import VAHDAT_2020
from zoo.parts.binary_posterior import check_separate


@register(
    tiny={"latent_dims": (4, 4), "hidden": (16,)},
    variants={"undirected": {"posterior": "undirected"}},
    paper=VAHDAT_2020,
)
class StructuredPrediction(BinaryLatentModel):
    """Structured prediction: one part of an image given the other, by binary latents.

    p(x_hidden given x_visible) is the sum over bits of q(z given x_visible) p(x_hidden given z): q,
    directed (the PWL rows of table 3) or an RBM for every image (DVAE##), is prior and proposal in
    one. Training climbs E[log mean_k p(x_hidden given z_k)] + w H(q(z given x_visible)), w falling
    linearly from 1 (Raiko et al. 2015; Vahdat et al. 2020, section 4.3). Everything is conditional:
    `log_likelihood` is log p(x_hidden given x_visible), `reconstruct` and `sample` complete images,
    whose hidden pixels are not looked at.

    Args:
      encoder: sees images whose hidden pixels are 0.
      decoder: gives whole images, of which only the hidden pixels count.
      mask: what is hidden, a name that `zoo.data.mask` takes; random ones are of the model's seed.
      entropy_weight: w in the end.
      entropy_steps: training steps in which w would fall to 0, but it stops at `entropy_weight`;
        without any it starts there.
      **kwargs: as the base; "power" and "exponential" relaxations have no entropy of bits.

    Raises:
      UsageError: as the base, or for such a relaxation.
    """

    def __init__(
        self,
        encoder,
        decoder,
        *,
        mask: str = "bottom",
        entropy_weight: float = 0.05,
        entropy_steps: int = 0,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_positive(entropy_weight=entropy_weight)
        check_count_or_0(entropy_steps=entropy_steps)
        check_separate(self.relaxation, "where the bits' entropy counts")
        self.mask = mask
        self.visible = data.mask(mask, self.fields["x"].shape, self.seed)
        self.entropy_weight, self.entropy_steps = entropy_weight, entropy_steps

    def parameters_of(self, x):
        return super().parameters_of(tf.where(self.visible, x, 0.0))

    def log_weights(self, batch, num_samples, seed):
        """As the base: log p(x_hidden given z) in nats at draws of q, [S, B].

        Where the draws have weights of their own, these are in it, scaled to a mean of 1.
        """
        parameters = self.parameters_of(batch["x"])
        z, log_q, _ = self.posterior_part.propose(parameters, num_samples, seed)
        log_likelihood = self.log_prob_where(batch, z, ~self.visible)
        if self.posterior_part.normalised:
            return log_likelihood
        log_weights = self.posterior_part.log_density(parameters, z) - log_q
        return log_likelihood + log_weights - samplers.log_mean_exp(log_weights)

    def squared_error(self, batch, z):
        """As the base, over the hidden pixels alone."""
        error = tf.where(~self.visible, tf.square(self.expected(z)[0] - batch["x"]), 0.0)
        return tf.reduce_sum(error, tf.range(1, self.visible.ndim + 1)) / self._num_hidden

    def bits_per_dim(self, log_likelihood):
        return self.observation_model.bits_per_dim(log_likelihood, self._num_hidden)

    @property
    def _num_hidden(self):
        return int(np.sum(~self.visible))

    # What a user asks.

    @property
    def sample_fields(self):
        return {"x_visible": PixelField(self.fields["x"].shape, self.dtype, batched=False)}

    @property
    def visible_field(self):
        return MaskField(self.fields["x"].shape, only=self.visible, called=self.mask)

    def complete(self, batch, visible, num_samples, seed):
        """As the base, by draws of q(z given x_visible); no chain is run, and one mask is known."""
        return self.infer(batch, num_samples, seed)

    @compiled_method
    def _sample(self, num_samples, seed, given):
        x = tf.where(self.visible, given["x_visible"], 0.0)
        observed = self.preprocess({"x": x[None]}, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, num_samples, samplers.fold_in(seed, "infer"))
        return self._merged(self.visible, x, self._decoded(z, seed, sample_axis=1))

    @compiled_method
    def _reconstruct(self, batch, seed):
        visible = tf.broadcast_to(self.visible, tf.shape(batch["x"]))
        return uncompiled(self, "_inpaint")(batch, visible, seed)

    # Training.

    @property
    def parameter_groups(self):
        return {"bound": self.trainable_variables}

    def objectives(self, batch, context, latents, seed):
        # q is not in the weights: their shares are not squared, and the entropy stands apart.
        draw = self.relaxed_draw(context, latents, seed, "expectation")
        log_likelihood = self.log_prob_where(batch, draw.zeta, ~self.visible)
        climbed = tf.reduce_mean(samplers.log_mean_exp(log_likelihood))
        entropy = -tf.reduce_mean(draw.log_q)
        metrics = {"bound": climbed}
        if self.posterior_part.normalised:
            metrics |= {"entropy": entropy}
        if self.num_samples > 1:
            # The mean of log p by the shares of p, which leaves the sums of what is climbed alone.
            gap = -tf.reduce_mean(tf.nn.log_softmax(log_likelihood, 0)) - math.log(self.num_samples)
            metrics |= {"bound": climbed - gap, "importance_weighted_bound": climbed}
            shares = tf.nn.softmax(log_likelihood, 0)
            metrics["effective_sample_size"] = samplers.effective_sample_size(shares)
        return {"bound": -climbed - self.warmdown * entropy}, metrics

    @property
    def warmdown(self) -> tf.Tensor:
        """w, the weight of the entropy at this training step."""
        return tf.maximum(1.0 - self.share_done(self.entropy_steps), self.entropy_weight)

    def get_config(self):
        return super().get_config() | {
            "mask": self.mask,
            "entropy_weight": self.entropy_weight,
            "entropy_steps": self.entropy_steps,
        }
