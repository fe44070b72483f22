"""The base of models with an exact density of continuous images, and chains over pixels."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core import watching
from zoo.core.abilities import ability
from zoo.core.annealing import ImportanceSampling
from zoo.core.checks import UsageError, check_count, check_positive
from zoo.core.compiled import compiled_method
from zoo.core.generative import flagged, to_numpy
from zoo.core.latent import is_shown, tuned_hmc
from zoo.core.log_likelihood import EstimatesLogLikelihood
from zoo.core.requests import AnswersRequests
from zoo.core.seeds import resolved
from zoo.parts.priors import standard_normal

tfd = tfp.distributions


class ExactDensityModel(EstimatesLogLikelihood, AnswersRequests):
    """A model whose images are u = f^-1(z), z ~ N(0, I), with f and its determinant known.

    An image has grey levels k of 0 to `levels` - 1. The model explains u = (k + U) / levels, with
    U uniform in [0, 1) (dequantised pixels); then log p(u) - D log(levels) is on average a bound
    on the log-probability of k, and the mean of its exponential over U is that probability.

    A method defines `transform` and `inverse`.

    Args:
      levels: grey levels that a pixel can have; other greys count as the nearest.
      **kwargs: as the base.
    """

    can_be_annealed = False
    selected_by = ("bound", -1.0)

    def __init__(self, *, levels: int, **kwargs):
        super().__init__(**kwargs)
        check_count(levels=levels)
        if levels < 2:
            raise UsageError(f"levels must be at least 2; it was {levels}.")
        self.levels = levels
        self.protocol = ImportanceSampling(num_samples=16)

    @ability
    def transform(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """f(u) of dequantised pixels [N, ...event]: [N, D], and log |det df/du| in nats, [N]."""
        raise NotImplementedError

    @ability
    def inverse(self, z: tf.Tensor) -> tf.Tensor:
        """f^-1(z) of [N, D]: dequantised pixels [N, ...event], which can lie outside of [0, 1)."""
        raise NotImplementedError

    @property
    def latent_dim(self) -> int:
        """D, pixels times channels."""
        return math.prod(self.fields["x"].shape)

    @property
    def prior(self) -> tfd.Distribution:
        """N(0, I) over [D]."""
        return standard_normal(self.latent_dim, self.dtype)

    def preprocess(self, batch, seed):
        """Dequantises `x`: (k + U) / levels, in [0, 1)."""
        level = tf.round(batch["x"] * (self.levels - 1))
        return batch | {"x": self._dequantised(level, tf.shape(level), seed)}

    def _dequantised(self, level, shape, seed):
        # So far from the ends of its cell that rounding leaves u in there.
        margin = max(1e-4, 2e-7 * self.levels)
        noise = margin + (1 - 2 * margin) * samplers.uniform(shape, seed, level.dtype)
        return (level + noise) / self.levels

    def log_prob(self, batch: dict) -> tf.Tensor:
        """log p(u) - D log(levels) of dequantised pixels, nats, in the leading axes of `x`."""
        u = batch["x"]
        event = self.fields["x"].shape
        z, log_det = self.transform(tf.reshape(u, [-1, *event]))
        log_prob = self.prior.log_prob(z) + log_det - self.latent_dim * math.log(self.levels)
        return tf.reshape(log_prob, tf.shape(u)[: -len(event)])

    def log_weights(self, batch: dict, num_samples: int, seed: Seed) -> tf.Tensor:
        """`log_prob` with noise drawn anew: E[exp] is the probability of the levels, [S, B]."""
        level = tf.floor(batch["x"] * self.levels)
        shape = tf.concat([[num_samples], tf.shape(level)], 0)
        return self.log_prob({"x": self._dequantised(level, shape, seed)})

    def bits_per_dim(self, log_likelihood: float) -> float:
        """Bits per dimension of a log-likelihood of an image, in nats."""
        return -log_likelihood / (self.latent_dim * math.log(2))

    def expected(self, z: tf.Tensor) -> tf.Tensor:
        """The pixels of z [..., D] in [0, 1], not rounded to levels, [..., ...event]."""
        u = self.inverse(tf.reshape(z, [-1, self.latent_dim]))
        return self._centred(tf.reshape(u, tf.concat([tf.shape(z)[:-1], tf.shape(u)[1:]], 0)))

    def _centred(self, u):
        """Pixels in [0, 1], each in the middle of the levels that u may be."""
        return tf.clip_by_value((u * self.levels - 0.5) / (self.levels - 1), 0.0, 1.0)

    def infer(self, batch, num_samples, seed):
        """z = f(u) with the noise of the dequantised pixels, the same for all samples; no chain."""
        z, _ = self.transform(batch["x"])
        return tf.repeat(z[None], num_samples, 0), {}

    def complete(self, batch, visible, num_samples, num_steps, seed):
        """Infers z = f(u) given the visible pixels' levels, by a chain over u.

        Hidden pixels are anywhere in [0, 1), visible ones within the cells of their levels, which
        is the noise that dequantises them. HMC moves the logits of where they are in there, so that
        no proposal is outside: its density has the Jacobian of the logistic function. It starts at
        draws of the model.

        Args:
          batch: dequantised pixels; what is hidden is not looked at.
          visible: bool, like x.
          num_samples: S.
          num_steps: transitions of `tuned_hmc`.
          seed: int or int32[2].

        Returns:
          As `LatentVariableModel.complete`, z [S, B, D].
        """
        level = tf.floor(batch["x"] * self.levels)

        def pixels(logits):
            within = tf.sigmoid(logits)
            return tf.where(visible, (level + within) / self.levels, within)

        def log_density(logits):
            jacobian = tf.math.log_sigmoid(logits) + tf.math.log_sigmoid(-logits)
            axes = tf.range(-len(self.fields["x"].shape), 0)
            return self.log_prob({"x": pixels(logits)}) + tf.reduce_sum(jacobian, axes)

        size = tf.shape(level)[0]
        z = self.prior.sample([num_samples * size], samplers.fold_in(seed, "start"))
        drawn = tf.reshape(self.inverse(z), tf.concat([[num_samples], tf.shape(level)], 0))
        noise = samplers.uniform(tf.shape(drawn), samplers.fold_in(seed, "noise"), drawn.dtype)
        within = tf.clip_by_value(tf.where(visible, noise, drawn), 0.01, 0.99)

        def show(logits):
            u = pixels(logits)
            watching.show(self._centred(u))
            return [log_density(logits), u]

        logits, told = tuned_hmc(
            log_density,
            tf.math.log(within) - tf.math.log1p(-within),
            num_steps,
            show if is_shown(num_samples) else None,
            samplers.fold_in(seed, "hmc"),
        )
        found = pixels(logits)
        z, _ = self.transform(tf.reshape(found, [-1, *self.fields["x"].shape]))
        return tf.reshape(z, [num_samples, size, self.latent_dim]), told

    def sample(
        self, num_samples: int, seed: Seed | None = None, *, temperature: float = 1.0, **given
    ) -> dict[str, np.ndarray]:
        """Draws from the model.

        Args:
          num_samples: of them.
          seed: as the base.
          temperature: z ~ N(0, temperature^2 I); below 1 draws are more alike, and look better.
          **given: nothing.

        Returns:
          As the base: `x`, rounded to levels, `mean`, not rounded, and `finite`.

        Raises:
          UsageError: for an argument that is not positive, or another one.
        """
        if given:
            raise UsageError(f"sample takes num_samples, seed and temperature; not {min(given)}.")
        check_count(num_samples=num_samples)
        check_positive(temperature=temperature)
        given = {"temperature": tf.constant(temperature, self.dtype)}
        return to_numpy("sample", self._sample(num_samples, resolved(seed), given))

    @compiled_method
    def _sample(self, num_samples, seed, given):
        z = self.prior.sample([num_samples, 1], samplers.fold_in(seed, "prior"))
        return self._decoded(given.get("temperature", 1.0) * z, seed, sample_axis=1)

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        pixels = tf.squeeze(self.expected(z), sample_axis)
        x = tf.round(pixels * (self.levels - 1)) / (self.levels - 1)
        return flagged({"x": x, "mean": pixels})

    # Training.

    def objectives(self, batch, context, latents, seed):
        bound = tf.reduce_mean(self.log_prob(batch))
        return {"likelihood": -bound}, {"bound": bound}

    @property
    def parameter_groups(self):
        return {"likelihood": self.trainable_variables}

    def test_step(self, data):
        share = self.share(data, self.inference_fields)
        # The mean counts the examples so far, so that seeds need no state of their own.
        seed = self.seed_of("test", self.num_reported("bound"))
        metrics = {"bound": self.log_prob(self.preprocess(share.batch, seed))}
        return self.track(share.counted(metrics), share.num_examples)

    def get_config(self):
        return super().get_config() | {"levels": self.levels}
