"""Ladder variational autoencoders (Sønderby et al. 2016)."""

import math
from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf

import layers
from zoo.core.checks import UsageError, check_count_or_0, check_positive
from zoo.core.dtypes import networks_of
from zoo.core.networks import as_network
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.deep_latent import top_down
from zoo.models.vae import VAE
from zoo.parts.gaussian_posteriors import LadderPosterior
from zoo.parts.likelihoods import Likelihood


@register(
    tiny={"latent_dims": (2, 2), "width": 16},
    paper=Paper(
        authors=(
            "Sønderby, Casper Kaae",
            "Raiko, Tapani",
            "Maaløe, Lars",
            "Sønderby, Søren Kaae",
            "Winther, Ole",
        ),
        title="Ladder Variational Autoencoders",
        year=2016,
        venue="Advances in Neural Information Processing Systems",
    ),
)
class LadderVAE(VAE):
    """VAE with L layers of latents, whose q merges an upward and a downward pass.

    The encoder gives N(m_l, v_l) for every layer, the generator N(mu_l, sigma_l^2) given the layer
    above; q is `zoo.parts.LadderPosterior`, so that one layer is a VAE. Like `ShortRun` the model
    works in the noise e_l = (z_l - mu_l) / sigma_l, whose prior is N(0, I).

    Args:
      encoder: Keras model from images [N, ...event] to [N, 2 K], means and then log standard
        deviations, the top layer first, such as `layers.bottom_up`.
      decoder: Keras model from noise [N, K] to [N, ...event], such as `layers.TopDown`.
      warmup_steps: training steps in which the weight of the Kullback-Leibler divergence grows
        from 0 to 1; it is 1 in evaluation.
      likelihood: as `VAE`.
      **kwargs: `seed`, as `VAE`; its other arguments are the ladder's own.

    Raises:
      UsageError: as `VAE`, for a number of steps that is not whole, or for such an argument.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        likelihood: str | dict | Likelihood = "gaussian",
        warmup_steps: int = 0,
        **kwargs,
    ):
        for name in ("posterior", "prior", "shear", "annealing_steps"):
            if name in kwargs:
                raise UsageError(f"{name} must be left out: a ladder VAE has its own.")
        decoder = as_network("decoder", decoder)
        super().__init__(
            encoder,
            decoder,
            likelihood=likelihood,
            posterior=LadderPosterior(decoder, name="posterior", dtype=kwargs.get("dtype")),
            prior="standard_normal",
            shear=False,
            annealing_steps=0,
            **kwargs,
        )
        check_count_or_0(warmup_steps=warmup_steps)
        self.warmup_steps = warmup_steps

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dims: Sequence[int] = (8, 8, 8),
        width: int = 64,
        blocks: str = "dense",
        hierarchical: bool = False,
        initial_stddev: float = math.exp(-2),
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with `ShortRun.for_data`'s generator and an encoder that mirrors it.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dims: numbers of latents of the layers, the top one first.
          width: units, or channels, of the generator's features.
          blocks: "dense" or "convolution".
          hierarchical: whether latents are independent and injected between the levels.
          initial_stddev: of the encoder's Gaussians, as `layers.bottom_up`.
          encoder: used instead, if given.
          decoder: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.
        """
        data = as_data(data)
        check_positive(initial_stddev=initial_stddev)
        decoder = decoder or top_down(data, latent_dims, width, blocks, hierarchical, dtype, seed)
        decoder = as_network("decoder", decoder, (sum(latent_dims),))
        with networks_of(dtype):
            encoder = encoder or layers.bottom_up(
                data.shape,
                layers.latent_dims(decoder),
                width=width,
                blocks=blocks,
                initial_stddev=initial_stddev,
                seed=seed,
            )
        encoder = as_network("encoder", encoder, data.shape)
        return cls(encoder, decoder, seed=seed, dtype=dtype, **kwargs)

    # Training.

    def objectives(self, batch, context, latents, seed):
        """As the base: minus the bound, with a weight on the KL, in closed form by layers."""
        z, _, q = context["proposal"]
        log_likelihood = tf.reduce_mean(self.likelihood(z).log_prob(batch["x"]))
        kl = tf.reduce_mean(q.kl(z))
        metrics = {"bound": log_likelihood - kl, "kl": kl}
        return {"elbo": self.warmup * kl - log_likelihood}, metrics

    @property
    def warmup(self) -> tf.Tensor:
        """The weight of the KL at this training step."""
        return self.share_done(self.warmup_steps)

    def part_config(self):
        return {"warmup_steps": self.warmup_steps}
