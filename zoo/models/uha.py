"""Differentiable annealed importance sampling: uncorrected Hamiltonian annealing (UHA)."""

import keras
import tensorflow as tf

from zoo.core.checks import UsageError, check_share
from zoo.core.registry import Paper, register
from zoo.models.monte_carlo_vae import UnadjustedChain


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_steps": 2},
    paper=(
        Paper(
            authors=("Geffner, Tomas", "Domke, Justin"),
            title="MCMC Variational Inference via Uncorrected Hamiltonian Annealing",
            year=2021,
            venue="Advances in Neural Information Processing Systems 34",
        ),
        Paper(
            authors=(
                "Zhang, Guodong",
                "Hsu, Kyle",
                "Li, Jianing",
                "Finn, Chelsea",
                "Grosse, Roger",
            ),
            title="Differentiable Annealed Importance Sampling and the Perils of Gradient Noise",
            year=2021,
            venue="Advances in Neural Information Processing Systems 34",
        ),
    ),
)
class UHA(UnadjustedChain):
    """VAE whose bound is that of underdamped annealing without rejections (differentiable AIS).

    From v_0 ~ N(0, I) every step keeps the share g of the momentum and replaces the rest, v'_t =
    g v_{t-1} + sqrt(1 - g^2) n_t, and takes one leapfrog step at the inverse temperature b_t:

        log w = log p(x, z_T) - log q(z_0 given x) + sum_t [log N(v_t) - log N(v'_t)].

    Inverse temperatures, g and the step sizes are learned, too.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_steps: T, inverse temperatures after 0; the last is 1. 0 is a VAE.
      damping: g at the start.
      **kwargs: as the base.
    """

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, *, damping: float = 0.9, **kwargs
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_share(damping=damping)
        if damping == 0:
            raise UsageError("damping must be greater than 0, for it is learned; it was 0.")
        self.initial_damping = damping
        logit = tf.math.log(damping / (1 - damping)).numpy()
        used = {"trainable": self.num_steps > 0}
        start = keras.initializers.Constant(logit)
        self.damping_logit = self.add_weight((), start, name="damping_logit", **used)
        self.increment_logits = self.add_weight(
            (self.num_steps,), "zeros", name="increment_logits", **used
        )

    @property
    def schedule(self):
        """b_1 ... b_T = 1, [T], the sums of a softmax."""
        return tf.cumsum(tf.nn.softmax(tf.convert_to_tensor(self.increment_logits)))

    @property
    def damping(self):
        return tf.sigmoid(tf.convert_to_tensor(self.damping_logit))

    @property
    def chain_metrics(self):
        return super().chain_metrics | {"damping": self.damping}

    def get_config(self):
        return super().get_config() | {"damping": self.initial_damping}
