"""The importance-weighted autoencoder (Burda, Grosse and Salakhutdinov 2016).

With w_k = p(x, z_k) / q(z_k given x) and z_k ~ q(z given x), k = 1 ... K, decoder and encoder climb

    L_K = E[log (1 / K) sum_k w_k],

whose gradient is E[sum_k s_k grad log w_k] with the shares s_k = w_k / sum_j w_j.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError, check_choice, check_count
from zoo.core.registry import Paper, register
from zoo.models.vae import VAE
from zoo.parts.posterior import check_scores_any_z

GRADIENTS = ("dreg", "plain")


class Weighed(NamedTuple):
    """What is known of K draws off the tape.

    Attributes:
      shares: w_k / sum_j w_j, [K, B].
      gradient: d log w_k / d z_k, [K, B, ...].
      bound: log (1 / K) sum_k w_k, nats, [B].
    """

    shares: tf.Tensor
    gradient: tf.Tensor
    bound: tf.Tensor


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 3},
    paper=(
        Paper(
            authors=("Burda, Yuri", "Grosse, Roger", "Salakhutdinov, Ruslan"),
            title="Importance Weighted Autoencoders",
            year=2016,
            venue="International Conference on Learning Representations",
        ),
        Paper(
            authors=(
                "Tucker, George",
                "Lawson, Dieterich",
                "Gu, Shixiang",
                "Maddison, Chris J.",
            ),
            title="Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives",
            year=2019,
            venue="International Conference on Learning Representations",
        ),
    ),
)
class IWAE(VAE):
    """Importance-weighted autoencoder, with the plain and the doubly reparameterised gradient.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_samples: K.
      gradient: the estimator of the encoder's gradient. "dreg", doubly reparameterised (Tucker,
        Lawson, Gu and Maddison 2019, eq. 8): sum_k s_k^2 (d log w_k / d z_k) (d z_k / d phi), which
        has less variance. "plain": sum_k s_k (d log w_k / d phi), Burda et al.'s.
      **kwargs: `likelihood`, `posterior`, `prior`, `shear` and `seed`, as `VAE`.

    Raises:
      UsageError: as `VAE`, and for a value out of its range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_samples: int = 5,
        gradient: str = "dreg",
        **kwargs,
    ):
        if kwargs.get("annealing_steps"):
            raise UsageError("annealing_steps must be left out: an IWAE climbs its bound as it is.")
        super().__init__(encoder, decoder, **kwargs)
        check_count(num_samples=num_samples)
        self.num_samples = num_samples
        self.gradient = check_choice("gradient", gradient, GRADIENTS)
        if gradient == "dreg":
            check_scores_any_z(self.posterior_part)

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x), each one of K by its share; there is no chain."""
        key = samplers.fold_in(seed, "amortise")
        z, log_q, _ = self.propose(batch, num_samples * self.num_samples, key)
        log_weights = tf.cast(self.log_joint(batch, z) - log_q, tf.float64)

        def by_draw(value):  # [K S, ...] -> [K, S, ...]
            return tf.reshape(value, [self.num_samples, num_samples, -1, *value.shape[2:]])

        log_shares = tf.math.log(tf.nn.softmax(by_draw(log_weights), 0))
        return samplers.resample(by_draw(z), log_shares, samplers.fold_in(seed, "resample")), {}

    # Training.

    @property
    def parameter_groups(self):
        return self.recognition_and_generation

    def amortise(self, batch, seed):
        return {"proposal": self.propose(batch, self.num_samples, seed)}

    def sample_latents(self, batch, context, seed):
        z, log_q, q = context["proposal"]
        gradient_of_q = 0.0  # unless z is scored anew, the plain gradient does not need it
        if self.gradient == "dreg":
            log_q, gradient_of_q = samplers.value_and_gradient(q.log_prob, z)
        log_p, gradient_of_p = samplers.value_and_gradient(lambda z: self.log_joint(batch, z), z)
        log_weights = tf.cast(log_p - log_q, tf.float64)
        weighed = Weighed(
            shares=tf.cast(tf.nn.softmax(log_weights, 0), z.dtype),
            gradient=gradient_of_p - gradient_of_q,
            bound=tf.cast(samplers.log_mean_exp(log_weights), z.dtype),
        )
        return weighed, {
            "bound": tf.cast(tf.reduce_mean(log_weights, 0), z.dtype),
            "importance_weighted_bound": weighed.bound,
            "effective_sample_size": samplers.effective_sample_size(weighed.shares),
        }

    def objectives(self, batch, context, latents, seed):
        z, log_q, _ = context["proposal"]
        log_joint = self.log_joint(batch, tf.stop_gradient(z))
        generation = -tf.reduce_mean(tf.reduce_sum(latents.shares * log_joint, 0))
        if self.gradient == "dreg":
            moved = tf.reduce_sum(latents.gradient * z, -1)
            climbed = tf.reduce_sum(latents.shares**2 * moved, 0)
        else:
            climbed = tf.reduce_sum(latents.shares * (self.log_joint(batch, z) - log_q), 0)
        # The value is minus the bound L_K, the gradient that of what is climbed.
        inference = -tf.reduce_mean(latents.bound + climbed - tf.stop_gradient(climbed))
        return {"inference": inference, "generation": generation}, {}

    def get_config(self):
        return super().get_config() | {"num_samples": self.num_samples, "gradient": self.gradient}
