"""Structured output prediction with binary latents: half an image given the other half."""

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo import data
from zoo.core.annealing import effective_sample_size, log_mean_exp
from zoo.core.checks import UsageError, check_count, check_images, check_positive
from zoo.core.compiled import program
from zoo.core.registry import register
from zoo.models.binary_latent import (
    BinaryPosteriorModel,
    DirectedPosteriorModel,
    UndirectedPosteriorModel,
)


class StructuredModel(BinaryPosteriorModel):
    """p(x_hidden given x_visible) = sum over bits of q(z given x_visible) p(x_hidden given z).

    q is prior and proposal in one. Training climbs E[log mean_k p(x_hidden given z_k)] +
    w H(q(z given x_visible)), w falling linearly from 1 (Raiko et al. 2015; Vahdat et al. 2020,
    section 4.3). Everything is conditional: `log_likelihood` is log p(x_hidden given x_visible),
    `reconstruct` and `sample` complete images, whose hidden pixels are not looked at.

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

    metric_names = ("bound", "mse", "entropy", "effective_sample_size")

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
        if entropy_steps:
            check_count(entropy_steps=entropy_steps)
        self.check_separate("where the bits' entropy counts")
        self.mask, self.visible = mask, data.mask(mask, self.event_shape, self.seed)
        self.entropy_weight, self.entropy_steps = entropy_weight, entropy_steps

    def parameters_of(self, x):
        return super().parameters_of(tf.where(self.visible, x, 0.0))

    def log_weights(self, x, num_samples, seed):
        """Log p(x_hidden given z) in nats at draws of q, [S, B], whose mean exp is the estimate.

        Where the draws have weights of their own, these are in it, scaled to a mean of 1.
        """
        parameters = self.parameters_of(x)
        z, log_q = self.posterior_part.hard(parameters, num_samples, seed)
        log_likelihood = self.log_prob_of_pixels(x, z, ~self.visible)
        if self.posterior_part.normalised:
            return log_likelihood
        log_weights = self.posterior_part.log_density(parameters, z) - log_q
        return log_likelihood + log_weights - log_mean_exp(log_weights)

    def squared_error(self, x, z):
        """As the base, over the hidden pixels alone."""
        error = tf.where(self.visible, 0.0, tf.square(self.likelihood(z).mean()[0] - x))
        return tf.reduce_sum(error, tf.range(1, len(self.event_shape) + 1)) / self._num_hidden

    def bits_per_dim(self, log_likelihood):
        return self.pixels.bits_per_dim(log_likelihood, self._num_hidden)

    @property
    def _num_hidden(self):
        return int(np.sum(~self.visible))

    # What a user asks.

    def sample(self, num_samples: int, seed: Seed = 0, *, x_visible=None) -> dict[str, np.ndarray]:
        """Draws completions of one image.

        Args:
          num_samples: of them.
          seed: int or int32[2].
          x_visible: [...event], pixels in [0, 1].

        Returns:
          `x`, the draw, and `mean`, its expectation given the latents: [num_samples, ...event].
        """
        check_count(num_samples=num_samples)
        seed = samplers.as_seed(seed)
        if x_visible is None:
            raise UsageError("x_visible must be given, an image to complete.")
        x = check_images(np.asarray(x_visible)[None], self.event_shape, "x_visible")
        drawn = self._sample(num_samples, seed, tf.constant(x[0]))
        return {name: value.numpy() for name, value in drawn.items()}

    def check_visible(self, visible, batch):
        visible = super().check_visible(visible, batch)
        if (visible != self.visible).any():
            raise UsageError(
                f"visible must be the mask {self.mask!r} that the model was trained for, its "
                "attribute `visible`; it was another."
            )
        return visible

    def signatures(self):
        signatures = super().signatures()
        sample, inputs = signatures["sample"]
        x_visible = tf.TensorSpec(self.event_shape, tf.float32, "x_visible")
        return signatures | {"sample": (sample, [*inputs, x_visible])}

    def infer(self, x, num_samples, seed, visible=None, num_steps=None):
        """Bits of q, [S, B, n], of which no chain is run; an export refuses another mask here."""
        checks = []
        if visible is not None:
            text = f"visible must be the mask {self.mask!r} that the model was trained for."
            checks = [tf.debugging.Assert(tf.reduce_all(visible == self.visible), [text])]
        with tf.control_dependencies(checks):
            return super().infer(x, num_samples, seed)

    @program
    def _sample(self, num_samples, seed, x_visible):
        x = tf.where(self.visible, x_visible, 0.0)
        observed = self.observe(x[None], samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, num_samples, samplers.fold_in(seed, "infer"))
        completed = self._decoded(z, seed, sample_axis=1)
        return {name: tf.where(self.visible, x, value) for name, value in completed.items()}

    @program
    def _reconstruct(self, x, seed):
        visible = tf.broadcast_to(self.visible, tf.shape(x))
        return self._endpoint("_inpaint")(x, visible, seed, 1)

    # Training.

    @property
    def parameter_groups(self):
        return {"bound": self.trainable_variables}

    def objectives(self, batch, context, latents, seed):
        # q is not in the weights: their shares are not squared, and the entropy stands apart.
        draw = self.relaxed_draw(context, latents, seed, closed_form=True)
        log_likelihood = self.log_prob_of_pixels(batch["x"], draw.zeta, ~self.visible)
        bound = tf.reduce_mean(log_mean_exp(log_likelihood))
        entropy = -tf.reduce_mean(draw.log_q)
        metrics = {"bound": bound}
        if self.posterior_part.normalised:
            metrics |= {"entropy": entropy}
        if self.num_samples > 1:
            metrics["effective_sample_size"] = effective_sample_size(
                tf.nn.softmax(log_likelihood, 0)
            )
        return {"bound": -bound - self.warmdown * entropy}, metrics

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


@register(tiny={"latent_dims": (4, 4), "hidden": (16,)})
class StructuredPrediction(DirectedPosteriorModel, StructuredModel):
    """With a directed q, exact draws of which cost one pass (the PWL rows of table 3)."""


@register(tiny={"latent_dims": (4, 4), "hidden": (16,)})
class UndirectedStructuredPrediction(UndirectedPosteriorModel, StructuredModel):
    """With an RBM for every x_visible as q (the DVAE## rows of table 3)."""
