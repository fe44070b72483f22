"""Ladder variational autoencoders (Sønderby et al. 2016)."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from zoo.core.checks import check_count, check_positive
from zoo.core.registry import register
from zoo.models.deep_latent import top_down
from zoo.models.vae import VAE
from zoo.parts.sequential_gaussian import SequentialGaussian, diagonal_gaussian

tfd = tfp.distributions


@register(tiny={"latent_dims": (2, 2), "width": 16})
class LadderVAE(VAE):
    """A VAE with L layers of latents, whose q merges an upward and a downward pass.

    The encoder gives N(m_l, v_l) for every layer, the generator N(mu_l, sigma_l^2) given the layer
    above; q(z_l given z_{l+1}, x) is their normalised product, with precision 1 / v_l +
    1 / sigma_l^2 (eqs. 17 to 19). At the top it is the encoder's alone, so that one layer is a VAE.

    Like `ShortRun` the model works in the noise e_l = (z_l - mu_l) / sigma_l, whose prior is
    N(0, I): the product there is that of N(0, I) and N((m_l - mu_l) / sigma_l, v_l / sigma_l^2).

    Args:
      encoder: Keras model from images [N, ...event] to [N, 2 K], means and then log standard
        deviations, the top layer first, such as `layers.bottom_up`.
      decoder: Keras model from noise [N, K] to [N, ...event], such as `layers.TopDown`.
      warmup_steps: training steps in which the weight of the Kullback-Leibler divergence grows
        from 0 to 1; it is 1 in evaluation.
      **kwargs: `likelihood` and `seed`, as `VAE`.
    """

    metric_names = ("bound", "mse", "divergence")

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, *, warmup_steps: int = 0, **kwargs
    ):
        super().__init__(encoder, decoder, **{"likelihood": "gaussian"} | kwargs)
        if warmup_steps:
            check_count(warmup_steps=warmup_steps)
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
        seed: int = 0,
        **kwargs,
    ):
        """The model with the generator of `ShortRun.for_data` and an encoder that mirrors it.

        Args: as `ShortRun.for_data`; `initial_stddev` of the encoder, as `layers.bottom_up`; and
        `encoder`, used instead if given.
        """
        check_positive(initial_stddev=initial_stddev)
        decoder = decoder or top_down(data, latent_dims, width, blocks, hierarchical, seed)
        encoder = encoder or layers.bottom_up(
            data.shape,
            layers.latent_dims(decoder),
            width=width,
            blocks=blocks,
            initial_stddev=initial_stddev,
            seed=seed,
        )
        return cls(encoder, decoder, seed=seed, **kwargs)

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """q of the noise of all layers given x, batch shape [B]."""
        sizes = layers.latent_dims(self.decoder)
        upward = self.encoder(x)
        means, log_scales = tf.split(upward, 2, axis=-1)
        log_scales = tf.clip_by_value(log_scales, -7.0, 5.0)

        def walk(choose):
            encoded = zip(
                tf.split(means, sizes, axis=-1),
                tf.split(tf.exp(log_scales), sizes, axis=-1),
                strict=True,
            )
            top = True

            def merged(mean, stddev):
                nonlocal top
                centre, scale = next(encoded)
                centre, scale = (centre - mean) / stddev, scale / stddev
                if not top:
                    shrink = 1 / (1 + tf.square(scale))
                    centre, scale = centre * shrink, scale * tf.sqrt(shrink)
                top = False
                return mean + stddev * choose(diagonal_gaussian(centre, scale))

            layers.descend(self.decoder, merged)

        return SequentialGaussian(walk, sizes, means)

    def objectives(self, batch, context, latents, seed):
        """Minus the bound, with a weight on the divergence, in closed form in each layer."""
        posterior, z = context["posterior"], context["z"]
        log_likelihood = tf.reduce_mean(self.likelihood(z).log_prob(batch["x"]))
        divergence = tf.reduce_mean(posterior.divergence(z))
        metrics = {"bound": log_likelihood - divergence, "divergence": divergence}
        return {"elbo": self.warmup * divergence - log_likelihood}, metrics

    @property
    def warmup(self) -> tf.Tensor:
        """The weight of the divergence at this training step."""
        return self.share_done(self.warmup_steps)

    def get_config(self):
        config = super().get_config() | {"warmup_steps": self.warmup_steps}
        return {
            k: v for k, v in config.items() if k not in ("shear", "upper_encoder", "upper_decoder")
        }
