"""The wake-sleep algorithm (Hinton, Dayan, Frey and Neal 1995) for a VAE's networks."""

from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError
from zoo.core.registry import Paper, register
from zoo.models.vae import VAE
from zoo.parts.posterior import check_scores_any_z


class WakeAndSleep(NamedTuple):
    """What a training step learns from, drawn off the tape.

    Attributes:
      z: draws of q(z given x), [1, B, K].
      dreamt_z: draws of p(z), [1, B, K].
      dreamt_x: draws of p(x given z) there, [B, ...event].
    """

    z: tf.Tensor
    dreamt_z: tf.Tensor
    dreamt_x: tf.Tensor


@register(
    tiny={"latent_dim": 4, "hidden": (16,)},
    paper=Paper(
        authors=("Hinton, Geoffrey E.", "Dayan, Peter", "Frey, Brendan J.", "Neal, Radford M."),
        title='The "Wake-Sleep" Algorithm for Unsupervised Neural Networks',
        year=1995,
        venue="Science",
        kind="article",
    ),
)
class WakeSleep(VAE):
    """VAE whose encoder learns from dreams, and not from the bound (wake-sleep).

    Awake, the decoder climbs log p(x, z) at z ~ q(z given x). Asleep, the encoder climbs
    log q(z given x) at dreams (x, z) ~ p(x, z): it descends KL(p(z given x) || q(z given x)),
    averaged over x of the model. No gradient flows through a draw.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      **kwargs: as `VAE`; the posterior must be one that can score any z.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        if kwargs.get("annealing_steps"):
            raise UsageError("annealing_steps must be left out: wake-sleep does not climb a bound.")
        super().__init__(encoder, decoder, **kwargs)
        check_scores_any_z(self.posterior_part)

    @property
    def parameter_groups(self):
        return self.recognition_and_generation

    def amortise(self, batch, seed):
        return {}

    def sample_latents(self, batch, context, seed):
        keys = [samplers.fold_in(seed, role) for role in ("wake", "dreamt z", "dreamt x")]
        z, log_q, _ = self.propose(batch, 1, keys[0])
        shape = tf.stack([1, tf.shape(batch["x"])[0]])
        dreamt_z = self.prior_part.draw(self.latent_dim, shape, keys[1])
        dreamt_x = self.observation_model.draw(self.decode(dreamt_z), keys[2])[0]
        bound = self.log_joint(batch, z) - log_q
        return WakeAndSleep(z, dreamt_z, dreamt_x), {"bound": bound[0]}

    def objectives(self, batch, context, latents, seed):
        q = self.posterior_distribution({"x": latents.dreamt_x})
        objectives = {
            "inference": -tf.reduce_mean(q.log_prob(latents.dreamt_z)),
            "generation": -tf.reduce_mean(self.log_joint(batch, latents.z)),
        }
        return objectives, {}
