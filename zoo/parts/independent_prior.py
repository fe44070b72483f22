"""Independent bits as the prior of binary latents."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.checks import check_positive
from zoo.parts.binary_prior import BinaryPrior, LogNormalizer

tfd = tfp.distributions


@keras.saving.register_keras_serializable("zoo")
class IndependentPrior(BinaryPrior):
    """The prior of independent bits, p(z_i = 1) = sigmoid(a_i): an RBM without couplings.

    Its log Z is exact, and so is the density of relaxed bits, each of which mixes those given 0
    and 1; or is Concrete, by an inverse temperature that need not be the posterior's (Maddison,
    Mnih and Teh 2017, appendix C.3). The logits a start at 0.

    Args:
      latent_dims: as the base.
      concrete_beta: inverse temperature of the prior of Concrete bits.
    """

    def __init__(self, latent_dims: Sequence[int], *, concrete_beta: float = 2.0, **kwargs):
        super().__init__(latent_dims, **kwargs)
        check_positive(concrete_beta=concrete_beta)
        self.concrete_beta = concrete_beta
        self.logits = self.add_weight(
            name="logits", shape=(sum(self.latent_dims),), initializer="zeros"
        )
        self.built = True

    @property
    def rbm(self):
        biases = tf.split(tf.convert_to_tensor(self.logits), self.latent_dims)
        return samplers.RBM(*biases, tf.zeros(self.latent_dims, self.dtype))

    def _law(self):
        logits = tf.convert_to_tensor(self.logits)
        return tfd.Independent(tfd.Bernoulli(logits, dtype=self.dtype), 1)

    @property
    def log_normalizer(self) -> tf.Tensor:
        """log Z, nats."""
        return tf.reduce_sum(tf.math.softplus(tf.convert_to_tensor(self.logits)))

    def log_normalizer_surrogate(self):
        return self.log_normalizer

    def estimate_log_normalizer(self, seed, *, jit_compile=True):
        return LogNormalizer(float(self.log_normalizer), 0.0)

    def relaxed_log_prob(self, at, relaxation):
        if not relaxation.overlapping:
            relaxation = dataclasses.replace(relaxation, beta=self.concrete_beta)
        return tf.reduce_sum(relaxation.density(at, tf.convert_to_tensor(self.logits)), -1)

    def get_config(self):
        return super().get_config() | {"concrete_beta": self.concrete_beta}
