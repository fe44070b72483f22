"""DRAW, deep recurrent attentive writers (Gregor et al. 2015)."""

from typing import Self

import keras
import tensorflow as tf

import layers
import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_count, check_flag, check_seed
from zoo.core.dtypes import networks_of
from zoo.core.networks import as_network
from zoo.core.registry import Paper, register
from zoo.data import as_images
from zoo.models.vae import VAE
from zoo.parts.draw_posterior import GlimpsePosterior
from zoo.parts.gaussians import kl_to_standard_normal

GREGOR_2015 = Paper(
    authors=(
        "Gregor, Karol",
        "Danihelka, Ivo",
        "Graves, Alex",
        "Rezende, Danilo Jimenez",
        "Wierstra, Daan",
    ),
    title="DRAW: A Recurrent Neural Network For Image Generation",
    year=2015,
    venue="Proceedings of the 32nd International Conference on Machine Learning",
)


@register(
    tiny={"latent_dim": 2, "num_glimpses": 2, "units": 8, "read_size": 2, "write_size": 3},
    variants={"without attention": {"attention": False}},
    paper=GREGOR_2015,
)
class DRAW(VAE):
    """VAE that draws an image in glimpses, on a canvas, through windows of attention.

    The generator is `layers.RecurrentCanvas`, T glimpses with latents z_t ~ N(0, I) of which each
    adds to the canvas; the posterior is `zoo.parts.GlimpsePosterior`, which reads the image in step
    with it. What is climbed is the bound, log p(x given c_T) - sum_t KL(q(z_t given z_1 to z_{t-1},
    x) || N(0, I)), with each KL in closed form (eqs. 9 to 12). Latents of all glimpses are one
    vector, z_1 first.

    Args:
      encoder: Keras model from images [N, ...event] to what is read, an image [N, n] as large as
        the decoder's, and usually the same.
      decoder: Keras model from latents [N, T K] to [N, ...event], such as `layers.RecurrentCanvas`;
        any other has one glimpse.
      units: of the posterior's recurrent network.
      read_size: filters along a side of the window through which it reads; 0 for the whole image.
      **kwargs: `likelihood` and `seed`, as `VAE`; its other arguments are DRAW's own.

    Raises:
      UsageError: as `VAE` and `zoo.parts.GlimpsePosterior`, or for such an argument.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        units: int = 256,
        read_size: int = 2,
        **kwargs,
    ):
        for name in ("posterior", "prior", "shear", "annealing_steps"):
            if kwargs.get(name, False) is not False:
                raise UsageError(f"{name} must be left out: DRAW has its own.")
        kwargs.pop("shear", None)
        decoder = as_network("decoder", decoder)
        posterior = GlimpsePosterior(
            decoder,
            units=units,
            read_size=read_size,
            seed=kwargs.get("seed", 0),
            name="posterior",
            dtype=kwargs.get("dtype"),
        )
        super().__init__(
            encoder,
            decoder,
            posterior=posterior,
            prior="standard_normal",
            shear=False,
            annealing_steps=0,
            **kwargs,
        )

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 10,
        num_glimpses: int = 10,
        units: int = 256,
        attention: bool = True,
        read_size: int = 2,
        write_size: int = 5,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with the networks of the paper for `data`.

        Args:
          data: images, what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: number of latents K of a glimpse.
          num_glimpses: T.
          units: of both recurrent networks.
          attention: whether to read and write through windows; else whole images.
          read_size: filters along a side of the window that reads.
          write_size: filters along a side of the window that writes.
          encoder: used instead of one that gives the image itself, if given.
          decoder: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        data = as_images(data)
        check_count(latent_dim=latent_dim, num_glimpses=num_glimpses, units=units)
        check_count(read_size=read_size, write_size=write_size)
        check_flag(attention=attention)
        check_seed(seed=seed)
        with networks_of(dtype):
            encoder = encoder or keras.Sequential(
                [keras.Input(data.shape), keras.layers.Flatten()], name="encoder"
            )
            decoder = decoder or layers.RecurrentCanvas(
                data.shape,
                latent_dim,
                num_glimpses,
                units=units,
                write_size=write_size if attention else 0,
                seed=seed + 1000,
                name="decoder",
            )
        return cls(
            as_network("encoder", encoder, data.shape),
            as_network("decoder", decoder, (num_glimpses * latent_dim,)),
            units=units,
            read_size=read_size if attention else 0,
            seed=seed,
            dtype=dtype,
            **kwargs,
        )

    def kl_by_glimpse(self, batch: dict, seed: Seed) -> tf.Tensor:
        """Computes each glimpse's KL(q(z_t given z_1 to z_{t-1}, x) || N(0, I)), at one draw.

        Args:
          batch: what the model explains, [B, ...] each.
          seed: int or int32[2].

        Returns:
          Nats, [T, B], whose sum over glimpses is the KL of the bound, in expectation.
        """
        features = self.features(batch["x"])
        _, drawn_from, _ = self.posterior_part.propose_with_layers(features, 1, seed)
        glimpses = layers.in_glimpses(self.decoder)
        return tf.reduce_sum(layers.by_glimpse(glimpses, kl_to_standard_normal(drawn_from)), -1)

    def draw_in_glimpses(self, num_samples: int, seed: Seed) -> tuple:
        """Draws images of the model and keeps what was on the canvas.

        Args:
          num_samples: N.
          seed: int or int32[2].

        Returns:
          E[x given c_t] of every glimpse, [T, N, ...event], and the windows through which it wrote,
          a `layers.attention.Window` of [T, N], or None without attention.
        """
        z = self.prior.sample(num_samples, samplers.as_seed(seed))
        canvases, windows = layers.canvases(self.decoder, z)
        return self.observation_model.distribution(canvases).mean(), windows

    # Training.

    def amortise(self, batch, seed):
        features = self.features(batch["x"])
        proposal, drawn_from, canvas = self.posterior_part.propose_with_layers(features, 1, seed)
        kl = tf.reduce_sum(kl_to_standard_normal(drawn_from), -1)
        return {"features": features, "proposal": proposal, "kl": kl, "canvas": canvas}

    def objectives(self, batch, context, latents, seed):
        """As the base: minus the bound, with the KL in closed form by glimpses.

        The posterior has drawn the image along, so that nothing is decoded here.
        """
        log_likelihood = self.likelihood_of(context["canvas"]).log_prob(batch["x"])
        kl, log_likelihood = tf.reduce_mean(context["kl"]), tf.reduce_mean(log_likelihood)
        bound = log_likelihood - kl
        return {"elbo": -bound}, {"bound": bound, "kl": kl}

    def part_config(self):
        return self.posterior_part.arguments
