"""Variational inference for Monte Carlo objectives (Mnih and Rezende 2016).

With hard bits z_k ~ q(z given x) and w_k = p(x, z_k) / q(z_k given x), k = 1 ... K, decoder and
encoder climb

    L_K = E[log (1 / K) sum_k w_k].

Bits have no pathwise gradient; that of the encoder is by the score function,

    grad L_K = E[sum_k (L - L_{-k}) grad log q(z_k given x) + sum_k s_k grad log w_k],

with the shares s_k = w_k / sum_j w_j, and the control L_{-k}, the same log mean with the geometric
mean of the other weights in place of w_k, which tells how well the others explain x without it.
"""

import tensorflow as tf

import samplers
from zoo.core.checks import UsageError
from zoo.core.registry import Paper, register
from zoo.models.dvae import DVAE


@register(
    tiny={"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 2},
    paper=Paper(
        authors=("Mnih, Andriy", "Rezende, Danilo J."),
        title="Variational Inference for Monte Carlo Objectives",
        year=2016,
        venue="Proceedings of the 33rd International Conference on Machine Learning",
    ),
)
class VIMCO(DVAE):
    """Discrete VAE trained by hard bits: VIMCO's score function with a leave-one-out control.

    Args:
      encoder: as `DVAE`.
      decoder: as `DVAE`.
      num_samples: K, at least 2, since each draw's control is the others.
      **kwargs: as `DVAE`, but for `relaxation` and `kl`, which bits have no use for.

    Raises:
      UsageError: as `DVAE`, for such an argument, or for an undirected posterior, whose log q has
        no gradient without that of its log Z.
    """

    def __init__(self, encoder, decoder, *, num_samples: int = 5, **kwargs):
        for name in ("relaxation", "kl"):
            if name in kwargs:
                raise UsageError(f"{name} must be left out: VIMCO relaxes no bits.")
        super().__init__(
            encoder,
            decoder,
            num_samples=num_samples,
            relaxation="piecewise_linear",  # which no step takes
            kl="bits",
            **kwargs,
        )
        if num_samples < 2:
            raise UsageError(
                f"num_samples must be at least 2, for each draw is controlled by the others; "
                f"it was {num_samples}."
            )
        if not self.posterior_part.normalised:
            raise UsageError(
                "posterior must be 'directed', whose log q has a gradient without that of a log Z; "
                f"it was {type(self.posterior_part).__name__}."
            )

    def sample_latents(self, batch, context, seed):
        parameters = context["parameters"]
        return self.posterior_part.propose(parameters, self.num_samples, seed).z, {}

    def objectives(self, batch, context, latents, seed):
        log_likelihood = self.likelihood(latents).log_prob(batch["x"])
        log_q = self.posterior_part.log_density(context["parameters"], latents)
        log_prior = self.log_prior_of_bits(latents)
        log_p = log_likelihood + self.warmup * log_prior
        log_weights = tf.stop_gradient(log_p - self.warmup * log_q)
        shares = tf.nn.softmax(log_weights, 0)
        signal = samplers.log_mean_exp(log_weights) - samplers.leave_one_out_bounds(log_weights)
        climbed = {
            "inference": (signal - self.warmup * shares) * log_q,  # log w has - w log q in it
            "generation": shares * log_p,
        }
        kl = log_q - log_prior
        metrics = {
            "log_normalizer": self.prior_part.log_normalizer,
            "bound": tf.reduce_mean(log_likelihood - kl),
            "kl": tf.reduce_mean(kl),
            "importance_weighted_bound": samplers.log_mean_exp(log_likelihood - kl),
            "effective_sample_size": samplers.effective_sample_size(shares),
        }
        return {
            group: -tf.reduce_mean(tf.reduce_sum(value, 0)) for group, value in climbed.items()
        }, metrics

    def get_config(self):
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("relaxation", "kl")}
