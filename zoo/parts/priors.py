"""Priors p(z) over real latents."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from samplers.random import Seed, noise_like
from zoo.core.checks import UsageError
from zoo.core.networks import as_network
from zoo.parts.gaussians import SequentialGaussian, diagonal_gaussian, gaussian_of
from zoo.parts.part import Part, make_part

tfd = tfp.distributions


def standard_normal(latent_dim: int, dtype: str = "float32") -> tfd.Distribution:
    """Makes N(0, I).

    Args:
      latent_dim: K.
      dtype: of the latents.

    Returns:
      The distribution, whose event shape is [K].
    """
    zero, one = tf.constant(0.0, dtype), tf.constant(1.0, dtype)
    return tfd.Sample(tfd.Normal(zero, one), latent_dim)


class GaussianPrior(Part):
    """The base of priors that are Gaussian, or Gaussian layer after layer."""

    def check_latents(self, latent_dim: int, decoder_inputs: int) -> None:
        """Refuses a posterior or a decoder that does not fit the prior.

        Args:
          latent_dim: K, the number of the posterior's latents.
          decoder_inputs: how many of them the decoder sees.

        Raises:
          UsageError: if the prior is over other latents, or leaves the decoder others.
        """
        self.distribution(latent_dim)
        seen = self.lowest(tf.zeros([1, latent_dim], self.dtype)).shape[-1]
        if seen != decoder_inputs:
            raise UsageError(
                f"prior must leave the decoder its {decoder_inputs} inputs; of the posterior's "
                f"{latent_dim} latents it leaves {seen}."
            )

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """Makes p(z).

        Args:
          latent_dim: K, the number of the posterior's latents.

        Returns:
          The distribution, whose event shape is [K].

        Raises:
          UsageError: if the prior is over another number of latents.
        """
        raise NotImplementedError

    def draw(self, latent_dim: int, shape: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Draws latents by a generator that is fast also where XLA compiles.

        Args:
          latent_dim: K, the number of the posterior's latents.
          shape: of the draws, such as [S, B].
          seed: int or int32[2].

        Returns:
          The latents, [*shape, K].
        """
        noise = noise_like(tf.zeros(tf.concat([shape, [latent_dim]], 0), self.dtype), seed)
        return self.distribution(latent_dim).transform(noise)

    def lowest(self, z: tf.Tensor) -> tf.Tensor:
        """Takes the latents that the decoder sees from all latents.

        Args:
          z: [..., K].

        Returns:
          Those of the lowest layer, [..., K_1].
        """
        return z


@keras.saving.register_keras_serializable("zoo")
class StandardNormalPrior(GaussianPrior):
    """The prior p(z) = N(0, I), over any number of latents."""

    def distribution(self, latent_dim):
        return standard_normal(latent_dim, self.dtype)

    def draw(self, latent_dim, shape, seed):
        return noise_like(tf.zeros(tf.concat([shape, [latent_dim]], 0), self.dtype), seed)


@keras.saving.register_keras_serializable("zoo")
class LayeredPrior(GaussianPrior):
    """The prior p(z) = N(z_2; 0, I) p(z_1 given z_2), z = (z_1, z_2) in one vector.

    x depends on z_1.

    Args:
      upper_decoder: Keras model from z_2 [N, K_2] to mu and log sigma of p(z_1 given z_2), a
        diagonal Gaussian (Burda, Grosse and Salakhutdinov 2016).
    """

    def __init__(self, upper_decoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        upper_decoder = as_network("upper_decoder", upper_decoder)
        self.upper_decoder = upper_decoder
        upper, lower = upper_decoder.input_shape[-1], upper_decoder.output_shape[-1] // 2
        self.layer_sizes = (lower, upper)
        self.built = True

    def distribution(self, latent_dim):
        if sum(self.layer_sizes) != latent_dim:
            raise UsageError(
                f"prior must be over as many latents as the posterior, {latent_dim}; "
                f"it is over {' + '.join(map(str, self.layer_sizes))}."
            )
        upper = tf.zeros([self.layer_sizes[1]], self.dtype)

        def walk(choose):
            z = choose(diagonal_gaussian(upper, tf.ones_like(upper)))
            choose(gaussian_of(layers.fold(self.upper_decoder, z)))

        return SequentialGaussian(walk, self.layer_sizes, upper, last_first=True)

    def lowest(self, z):
        return z[..., : self.layer_sizes[0]]

    def get_config(self):
        upper_decoder = keras.saving.serialize_keras_object(self.upper_decoder)
        return super().get_config() | {"upper_decoder": upper_decoder}


PRIORS = {"standard_normal": StandardNormalPrior}


def get_prior(prior: str | dict | Part, dtype: str | None = None) -> Part:
    """Makes a prior by its name or by a dictionary of its `name` and arguments.

    Args:
      prior: such a name or dictionary, or an object.
      dtype: of the model.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("prior", PRIORS, prior, dtype=dtype)
