"""Independent bits as the prior of binary latents."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.rbm import bernoulli
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
      concrete_beta: inverse temperature of the prior of Concrete bits; None for the posterior's.
        The KL of two that are far apart is large, whatever the encoder does.
    """

    def __init__(self, latent_dims: Sequence[int], *, concrete_beta: float | None = None, **kwargs):
        super().__init__(latent_dims, **kwargs)
        if concrete_beta is not None:
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
        return tfd.Independent(_Bits(logits, dtype=self.dtype), 1)

    @property
    def log_normalizer(self) -> tf.Tensor:
        """log Z, nats."""
        return tf.reduce_sum(tf.math.softplus(tf.convert_to_tensor(self.logits)))

    def estimate_log_normalizer(self, seed, *, jit_compile=True):
        return LogNormalizer(float(self.log_normalizer), 0.0)

    def relaxed_log_prob(self, at, relaxation):
        if self.concrete_beta is not None and not relaxation.overlapping:
            relaxation = dataclasses.replace(relaxation, beta=self.concrete_beta)
        log_prob = relaxation.scored_log_prob(at, tf.convert_to_tensor(self.logits))
        return tf.reduce_sum(log_prob, -1)

    def get_config(self):
        return super().get_config() | {"concrete_beta": self.concrete_beta}


class _Bits(tfd.Bernoulli):
    """Bernoulli draws that are NaN where their logits are, which no bit would tell."""

    def _sample_n(self, n, seed=None):
        shape = tf.concat([[n], tf.shape(self.logits)], 0)
        u = samplers.uniform(shape, tfp.random.sanitize_seed(seed), self.dtype)
        return bernoulli(tf.broadcast_to(self.logits, shape), u)
