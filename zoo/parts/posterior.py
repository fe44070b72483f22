"""Amortised posteriors q(z given x) over real latents, made of an encoder's features."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core.abilities import ability, defines
from zoo.core.checks import UsageError
from zoo.core.latent import Proposal
from zoo.parts.part import Part

tfd = tfp.distributions


class Posterior(Part):
    """The base of amortised posteriors, which a VAE takes.

    To it `check_encoder` and `propose` are enough. One that defines `distribution` can score any z,
    which annealing from the posterior needs, and `IWAE` and the methods that anneal in training.
    """

    def start_features(self, latent_dim: int) -> np.ndarray:
        """The features at which a new encoder starts, a narrow q_0 at 0: sigma(x) = exp(-2).

        Args:
          latent_dim: K.

        Returns:
          mu and log sigma, and whatever else the posterior is made of, [F].
        """
        return np.repeat([0.0, -2.0], latent_dim)

    def check_encoder(self, encoder: keras.Model, latent_dim: int) -> int:
        """Checks that the networks of a model fit the posterior.

        Args:
          encoder: gives the features.
          latent_dim: the number of inputs of the decoder.

        Returns:
          K, the number of latents of such a model.

        Raises:
          UsageError: if the networks do not fit each other.
        """
        raise NotImplementedError

    def propose(self, features: tf.Tensor, num_samples: int, seed: Seed) -> Proposal:
        """Draws latents, through which a gradient flows.

        Args:
          features: of the encoder, [B, F].
          num_samples: S.
          seed: int or int32[2].

        Returns:
          Draws [S, B, K] with their density.
        """
        raise NotImplementedError

    @ability
    def distribution(self, features: tf.Tensor) -> tfd.Distribution:
        """Makes q(z given x).

        Args:
          features: of the encoder, [B, F].

        Returns:
          The distribution, of batch shape [B] and event shape [K].

        Raises:
          UsageError: of a posterior that knows the densities of its own draws only.
        """
        check_scores_any_z(self)
        raise NotImplementedError

    def log_prob(self, z: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Scores any latents, of a posterior that has a `distribution`.

        Args:
          z: [S, B, K].
          features: of the encoder, [B, F].

        Returns:
          log q(z given x) in nats, [S, B].
        """
        return self.distribution(features).log_prob(z)

    def moments(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Tells means and standard deviations of the latents, [B, K] each; here those of 16 draws.

        Args:
          features: of the encoder, [B, F].

        Returns:
          The means, and the deviations. Above the first of several layers both are given the means
          of those before.
        """
        draws = self.propose(features, 16, samplers.fold_in(0, "moments")).z
        return tf.reduce_mean(draws, 0), tf.math.reduce_std(draws, 0)

    def scale(self, features: tf.Tensor) -> tf.Tensor:
        """Tells the scales of the latents, to which step sizes are proportional.

        Args:
          features: of the encoder, [B, F].

        Returns:
          The standard deviations of `moments`, [B, K].
        """
        return self.moments(features)[1]


def check_scores_any_z(posterior: Part) -> None:
    """Refuses a posterior that knows the densities of its own draws only.

    Args:
      posterior: of a method, or of an estimate, that needs others.

    Raises:
      UsageError: if it has no `distribution`.
    """
    if not defines(posterior, "distribution"):
        raise UsageError(
            "posterior must be one that can score any z, such as 'mean_field' or 'nice'; it was a "
            f"{type(posterior).__name__}."
        )
