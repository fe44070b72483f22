"""Posteriors that are Gaussian, or Gaussian layer after layer."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError
from zoo.core.latent import Proposal
from zoo.core.networks import as_network
from zoo.parts.gaussians import SequentialGaussian, diagonal_gaussian, gaussian_of
from zoo.parts.posterior import Posterior

tfd = tfp.distributions


class GaussianPosterior(Posterior):
    """The base of posteriors that are Gaussian, or Gaussian layer after layer."""

    def check_encoder(self, encoder, latent_dim):
        if encoder.output_shape[1:] != (2 * latent_dim,):
            raise UsageError(
                f"encoder must give {(2 * latent_dim,)}, mean and log standard deviation of "
                f"the decoder's {latent_dim} inputs; it gives {encoder.output_shape[1:]}."
            )
        return latent_dim

    def propose(self, features, num_samples, seed):
        q = self.distribution(features)
        z = q.mean() + q.stddev() * self.noise(q, features, num_samples, seed)
        return Proposal(z, q.log_prob(z), q)

    @staticmethod
    def noise(q: tfd.Distribution, features: tf.Tensor, num_samples: int, seed: Seed) -> tf.Tensor:
        """Draws the standard normal numbers of `propose`, [S, B, K]."""
        shape = [num_samples, tf.shape(features)[0], q.event_shape[0]]
        return samplers.normal(shape, seed, features.dtype)

    def moments(self, features):
        q = self.distribution(features)
        return q.mean(), q.stddev()


@keras.saving.register_keras_serializable("zoo")
class MeanFieldPosterior(GaussianPosterior):
    """The posterior N(mu(x), diag sigma(x)^2); the features are mu and then log sigma."""

    def distribution(self, features):
        return gaussian_of(features)


class StepwisePosterior(GaussianPosterior):
    """The base of posteriors of Gaussians that are drawn one after the other."""

    def propose(self, features, num_samples, seed):
        return self.propose_with_layers(features, num_samples, seed)[0]

    def propose_with_layers(self, features: tf.Tensor, num_samples: int, seed: Seed) -> tuple:
        """As `propose`, with the Gaussians that were drawn from, each given those before.

        Args:
          features: of the encoder, [B, F].
          num_samples: S.
          seed: int or int32[2].

        Returns:
          The `Proposal` of the draws, the Gaussians [S, B, K] as one, whose KL is known in closed
          form, and what else there is to know of the draws.
        """
        q = self.distribution(features)
        z, drawn_from, *more = q.drawn(self.noise(q, features, num_samples, seed))
        return Proposal(z, drawn_from.log_prob(z), q), drawn_from, *more


@keras.saving.register_keras_serializable("zoo")
class TwoLayerPosterior(StepwisePosterior):
    """The posterior q(z_1 given x) q(z_2 given z_1), z = (z_1, z_2) in one vector.

    Both are diagonal Gaussians (Burda, Grosse and Salakhutdinov 2016).

    Args:
      upper_encoder: Keras model from z_1 [N, K_1] to mu and log sigma of q(z_2 given z_1).
    """

    def __init__(self, upper_encoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        upper_encoder = as_network("upper_encoder", upper_encoder)
        self.upper_encoder = upper_encoder
        self.built = True

    def check_encoder(self, encoder, latent_dim):
        super().check_encoder(encoder, latent_dim)
        if self.upper_encoder.input_shape[1:] != (latent_dim,):
            raise UsageError(
                f"upper_encoder must take the {latent_dim} latents of the lower layer; "
                f"it takes {self.upper_encoder.input_shape[1:]}."
            )
        return latent_dim + self.upper_encoder.output_shape[-1] // 2

    def distribution(self, features):
        lower = gaussian_of(features)
        sizes = [features.shape[-1] // 2, self.upper_encoder.output_shape[-1] // 2]

        def walk(choose):
            z = choose(lower)
            choose(gaussian_of(layers.fold(self.upper_encoder, z)))

        return SequentialGaussian(walk, sizes, lower.mean())

    def get_config(self):
        upper_encoder = keras.saving.serialize_keras_object(self.upper_encoder)
        return super().get_config() | {"upper_encoder": upper_encoder}


class LadderPosterior(StepwisePosterior):
    """A posterior that merges an upward pass, the features, with the generator's downward pass.

    The features are N(m_l, v_l) for every layer, the generator gives N(mu_l, sigma_l^2) given the
    layer above; q(z_l given z_{l+1}, x) is their normalised product, with precision 1 / v_l +
    1 / sigma_l^2 (Sønderby et al. 2016, eqs. 17 to 19). At the top it is the encoder's alone.

    Latents are the noise e_l = (z_l - mu_l) / sigma_l, whose prior is N(0, I): the product there is
    that of N(0, I) and N((m_l - mu_l) / sigma_l, v_l / sigma_l^2).

    Args:
      decoder: the generator, such as `layers.TopDown`; a part of the model, not of this.
    """

    def __init__(self, decoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self._generator = lambda: decoder  # not an attribute, or Keras would own it twice
        self.built = True

    def distribution(self, features):
        decoder = self._generator()
        sizes = layers.latent_dims(decoder)
        means, log_scales = tf.split(features, 2, axis=-1)
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

            layers.descend(decoder, merged)

        return SequentialGaussian(walk, sizes, means)
