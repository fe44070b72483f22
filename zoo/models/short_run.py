"""Generators trained by short-run Langevin dynamics (Nijkamp et al. 2020)."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from zoo.core.checks import UsageError, check_count, check_flag, check_positive
from zoo.core.latent import agreement, start_diagnostics
from zoo.core.networks import as_network
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.deep_latent import DeepLatentGaussianModel, top_down, variables_of
from zoo.parts.gaussians import SequentialGaussian, diagonal_gaussian
from zoo.parts.likelihoods import Likelihood
from zoo.parts.step_size_search import StepSizeSearch, get_step_size_search

tfd = tfp.distributions


@register(
    tiny={"latent_dims": (2, 2), "width": 16, "num_steps": 3},
    paper=Paper(
        authors=(
            "Nijkamp, Erik",
            "Pang, Bo",
            "Han, Tian",
            "Zhou, Linqi",
            "Zhu, Song-Chun",
            "Wu, Ying Nian",
        ),
        title=(
            "Learning Multi-layer Latent Variable Model via Variational Optimization of Short Run "
            "MCMC for Approximate Inference"
        ),
        year=2020,
        venue="European Conference on Computer Vision",
    ),
)
class ShortRun(DeepLatentGaussianModel):
    """Generator that learns from a few Langevin steps from the prior, without an encoder (alg. 1).

    For each example and at every training step a fresh chain starts at z_0 ~ p(z),

        z_{k+1} = z_k + s^2 / 2 grad log p(x, z_k) + s n_k,  n_k ~ N(0, I),

    and the generator climbs log p(x, z_K). There is no encoder: the same chain infers the latents
    of test images, and completes images from their visible pixels.

    Args:
      decoder: Keras model from noise [N, K] to [N, ...event], such as `layers.TopDown`.
      likelihood: as `VAE`; the paper's is a Gaussian of scale 0.15 on images in [-1, 1].
      num_steps: K.
      step_size: s, the standard deviation of a step's noise, or one for each of the steps;
        `samplers.langevin_step_size` gives it for other conventions.
      step_size_search: how the step size is learned: a `StepSizeSearch`, its method, or a
        dictionary of its attributes; None keeps it.
      centred: whether chains move the latents z_l of a layered decoder, and not the noise e_l of
        z_l = mu_l + sigma_l e_l. The posterior is the same, what K steps make of it is not.
      **kwargs: `seed`.

    Raises:
      UsageError: for a value out of its range.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        likelihood: str | dict | Likelihood = "gaussian",
        num_steps: int = 25,
        step_size: float | Sequence[float] = 0.1,
        step_size_search: str | dict | StepSizeSearch | None = None,
        centred: bool = False,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, **kwargs)
        check_count(num_steps=num_steps)
        check_flag(centred=centred)
        self.num_steps, self.centred = num_steps, centred
        self.num_inference_steps = num_steps  # outside training
        self.initial_step_size = step_size
        self.search = get_step_size_search(step_size_search)
        several = isinstance(step_size, list | tuple)
        for size in step_size if several else [step_size]:
            check_positive(step_size=size)
        if several and len(step_size) != num_steps:
            raise UsageError(
                f"step_size must be one number, or one for each of the {num_steps} steps; "
                f"it was {len(step_size)}."
            )
        self.step_size = self.add_weight(
            name="step_size",
            shape=(num_steps,) if several or self.search.per_step else (),
            initializer="zeros",
            trainable=False,
        )
        self.step_size.assign(np.broadcast_to(step_size, self.step_size.shape))
        if self.search.method != "fixed":
            if several and self.search.method == "grid":
                raise UsageError("step_size_search: a grid is for one step size, not one per step.")
            self.step_size_moments = self.add_weight(
                name="step_size_moments",
                shape=(2, *self.step_size.shape),
                initializer="zeros",
                trainable=False,
            )

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dims: Sequence[int] = (8, 8, 8),
        width: int = 64,
        blocks: str = "dense",
        hierarchical: bool = False,
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with a top-down generator for `data`, unless a decoder is given.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dims: numbers of latents of the layers, the top one first.
          width: units, or channels, of the generator's features.
          blocks: "dense" or "convolution".
          hierarchical: whether latents are independent and injected between the levels.
          decoder: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.
        """
        data = as_data(data)
        decoder = decoder or top_down(data, latent_dims, width, blocks, hierarchical, dtype, seed)
        decoder = as_network("decoder", decoder, (sum(latent_dims),))
        return cls(decoder, seed=seed, dtype=dtype, **kwargs)

    @property
    def num_completion_steps(self):
        return self.num_inference_steps

    @property
    def prior(self) -> tfd.Distribution:
        """N(0, I) over the noise; of a centred model the layers, each given those above."""
        if not self.centred:
            return super().prior

        def walk(choose):
            layers.descend(
                self.decoder,
                lambda mean, stddev: choose(diagonal_gaussian(mean, stddev)),
            )

        like = tf.zeros([self.latent_dim], self.dtype)
        return SequentialGaussian(walk, layers.latent_dims(self.decoder), like)

    def decode(self, z):
        if not self.centred:
            return super().decode(z)
        parts = iter(tf.split(z, layers.latent_dims(self.decoder), axis=-1))
        return layers.descend(self.decoder, lambda mean, stddev: next(parts))

    def infer(self, batch, num_samples, seed):
        """As the base, by the last states of chains from the prior."""
        return self._from_the_prior(batch, num_samples, self.num_inference_steps, seed)

    def complete(self, batch, visible, num_samples, num_steps, seed):
        """As the base, by the chains of `infer` on the visible pixels alone."""
        show = self.shown(batch, num_samples, visible)
        return self._from_the_prior(batch, num_samples, num_steps, seed, visible, show)

    def _from_the_prior(self, batch, num_samples, num_steps, seed, visible=None, show=None):
        start = self.start_from_the_prior(batch, num_samples, seed, visible)
        key, halves = samplers.fold_in(seed, "langevin"), ()
        z = self.langevin(batch, start.state, num_steps, key, visible, show)
        if show is not None:
            z, halves = z
        return z, start_diagnostics(start) | agreement(halves, num_steps)

    def langevin(self, batch, start, num_steps, seed, visible=None, show=None):
        """Runs chains on log p(x, z).

        Args:
          batch: what the model explains, [B, ...] each.
          start: where they start, [S, B, K].
          num_steps: of each.
          seed: int or int32[2].
          visible: bool, like x; only these pixels count. None for all.
          show: as `samplers.langevin`.

        Returns:
          Their last states, [S, B, K]; and the moments of what is shown, if anything is.
        """
        return samplers.langevin(
            lambda z: self.log_joint(batch, z, visible),
            start,
            num_steps=num_steps,
            step_size=tf.convert_to_tensor(self.step_size),
            show=show,
            seed=seed,
        )

    # Training.

    @property
    def parameter_groups(self):
        return {"generation": variables_of(self.decoder, self.observation_model)}

    def sample_latents(self, batch, context, seed):
        size = tf.shape(batch["x"])[0]
        start = self.prior.sample([1, size], samplers.fold_in(seed, "prior"))
        key = samplers.fold_in(seed, "langevin")
        return self.langevin(batch, start, self.num_steps, key), {}

    def objectives(self, batch, context, latents, seed):
        log_joint = tf.reduce_mean(self.log_joint(batch, latents))
        metrics = {
            "log_joint": log_joint,
            "mse": self.squared_error(batch, latents),
            "step_size": tf.reduce_mean(self.step_size),
        }
        return {"generation": -log_joint}, metrics

    def state_statistics(self, batch, latents, diagnostics):
        if self.search.method == "fixed":
            return {}
        step_size = tf.convert_to_tensor(self.step_size)
        seed = self.seed_of("step size", self.training_step.value)
        shape = [len(self.search.grid)] if self.search.method == "grid" else step_size.shape
        found = tf.cond(
            self._search_is_due,
            lambda: self.search.statistics(self, batch, step_size, seed),
            lambda: tf.zeros(shape, self.dtype),
        )
        num_images = tf.minimum(tf.shape(batch["x"])[0], self.search.num_images)
        return {
            "step_size": tf.ensure_shape(found, shape)[None],
            "num_images": tf.cast(num_images, step_size.dtype)[None],
        }

    def next_state(self, statistics):
        if self.search.method == "fixed":
            return []
        old = [tf.convert_to_tensor(v) for v in (self.step_size, self.step_size_moments)]
        count = self.training_step // self.search.interval
        # A mean over the images of all replicas, of which each told that of its own.
        weights = statistics["num_images"] / tf.reduce_sum(statistics["num_images"])
        found = tf.tensordot(weights, statistics["step_size"], 1)
        new = self.search.improved(*old, found, count)
        step_size, moments = (
            tf.where(self._search_is_due, n, o) for n, o in zip(new, old, strict=True)
        )
        return [(self.step_size, step_size), (self.step_size_moments, moments)]

    @property
    def _search_is_due(self):
        return tf.equal(tf.convert_to_tensor(self.training_step) % self.search.interval, 0)

    def get_config(self):
        return super().get_config() | {
            "num_steps": self.num_steps,
            "step_size": self.initial_step_size,
            "step_size_search": dataclasses.asdict(self.search),
            "centred": self.centred,
        }
