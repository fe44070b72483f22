"""Monte Carlo VAEs (Thin et al. 2021): bounds of annealed chains, with a gradient through them."""

import keras
import tensorflow as tf

import samplers
from samplers.kernels import regular_energy_error
from samplers.random import noise_like
from zoo.core.checks import check_count_or_0
from zoo.core.registry import Paper, register
from zoo.models.recorded_chain import Moved, RecordedChain
from zoo.parts.posterior import check_scores_any_z
from zoo.parts.step_size import AcceptanceStepSize, LearnedStepSize

THIN = Paper(
    authors=(
        "Thin, Achille",
        "Kotelevskii, Nikita",
        "Doucet, Arnaud",
        "Durmus, Alain",
        "Moulines, Eric",
        "Panov, Maxim",
    ),
    title="Monte Carlo Variational Auto-Encoders",
    year=2021,
    venue="Proceedings of the 38th International Conference on Machine Learning",
)


class AnnealedChain(RecordedChain):
    """The base of methods whose chains pass q(z given x)^(1 - b_t) p(x, z)^(b_t), t = 1 ... T.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_steps: T; 0 is a VAE.
      **kwargs: as the base; the posterior must be one that can score any z.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, *, num_steps: int, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        check_scores_any_z(self.posterior_part)
        check_count_or_0(num_steps=num_steps)
        self.num_steps = num_steps

    @property
    def schedule(self) -> tf.Tensor:
        """b_1 ... b_T, [T]: those between 0 and 1, at equal distances."""
        betas = tf.linspace(tf.constant(0.0, tf.float64), 1.0, self.num_steps + 2)
        return tf.cast(betas[1:-1], self.dtype)

    @property
    def length(self):
        return self.num_steps

    def evaluate_at(self, batch: dict, features: tf.Tensor):
        """A function from z [S, B, K] to the `samplers.AnnealedPoint` there."""
        q = self.posterior_part.distribution(features)
        return lambda z: samplers.annealed_point_at(
            q.log_prob, lambda z: self.log_joint(batch, z), z
        )

    def get_config(self):
        return super().get_config() | {"num_steps": self.num_steps}


class UnadjustedChain(AnnealedChain):
    """The base of methods whose annealed chains are underdamped, and nothing is rejected.

    Every step replaces a part of the momentum, v' = g v + sqrt(1 - g^2) n, and takes one leapfrog
    step of log f_t = (1 - b_t) log q(z given x) + b_t log p(x, z); see `samplers.underdamped_step`.
    Step sizes are learned, one for each latent.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_steps: T; 0 is a VAE.
      step_size: of the leapfrog steps at the start.
      max_step_size: step sizes stay below.
      **kwargs: as the base.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_steps: int = 5,
        step_size: float = 0.05,
        max_step_size: float = 0.5,
        **kwargs,
    ):
        super().__init__(encoder, decoder, num_steps=num_steps, **kwargs)
        self.learned_step_size = LearnedStepSize(
            step_size=step_size,
            max_step_size=max_step_size,
            shape=(self.latent_dim,),
            name="step_size",
            dtype=self.dtype,
            trainable=num_steps > 0,
        )

    @property
    def step_size(self) -> tf.Tensor:
        """Of each latent, [K]."""
        return self.learned_step_size.value

    @property
    def damping(self) -> tf.Tensor:
        """g, the share of the momentum that a step keeps, []."""
        raise NotImplementedError

    def move(self, batch, features, z, seed, num_steps):
        def step(t, path, context):
            point, momentum, log_ratio = path
            features, betas, damping, step_size = context
            taken = samplers.underdamped_step(
                self.evaluate_at(batch, features),
                point,
                momentum,
                noise_like(momentum, samplers.fold_in(seed, t)),
                damping=damping,
                step_size=step_size,
                num_chain_axes=2,
                gradient=lambda point: point.gradient(betas[t]),
            )
            return taken.point, taken.momentum, log_ratio + taken.log_ratio

        point = self.evaluate_at(batch, features)(z)
        momentum = noise_like(z, samplers.fold_in(seed, "momentum"))
        point, _, log_ratio = samplers.repeat(
            step,
            (point, momentum, tf.zeros_like(point.log_final)),
            num_steps,
            context=(features, self.schedule, self.damping, self.step_size),
            recompute=self.recomputes,
        )
        return Moved(point.state, point.log_final, log_ratio)

    def get_config(self):
        return super().get_config() | self.learned_step_size.limits


@register(tiny={"latent_dim": 4, "hidden": (16,), "num_steps": 2}, paper=THIN)
class LMCVAE(UnadjustedChain):
    """VAE whose bound is that of an annealed chain of unadjusted Langevin steps (L-MCVAE).

    Each step's reverse kernel is the Langevin step of the same density and size, and the mean of
    log w is climbed as it is (section 3.2). Step sizes are learned.
    """

    @property
    def damping(self):
        """0: all of the momentum is new."""
        return tf.zeros([], self.dtype)


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_steps": 2},
    paper=THIN,
)
class AMCVAE(AnnealedChain):
    """VAE whose bound is that of annealed chains of Metropolis-adjusted Langevin steps (A-MCVAE).

    log w is that of annealed importance sampling. What is accepted has probabilities that depend on
    all parameters, so that the gradient of the bound is (section 3.3)

        E[grad log w + (log w - c) grad sum_t log P(choice_t)],

    where c, the mean of log w over the other chains of the same example, leaves the expectation as
    it is and takes variance away; of a single chain it is 0.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_steps: T; 0 is a VAE.
      num_samples: chains S of each example.
      target_accept: mean acceptance probability of a step, by which step sizes follow.
      adaptation_rate: a step size changes by this fraction per minibatch.
      step_size: of all steps at the start.
      min_step_size: step sizes stay above.
      max_step_size: step sizes stay below.
      **kwargs: as the base.

    The adaptation is that of the authors' code; its target, which we do not know, is ours.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_steps: int = 5,
        num_samples: int = 2,
        target_accept: float = 0.8,
        adaptation_rate: float = 0.002,
        step_size: float = 0.05,
        min_step_size: float = 0.001,
        max_step_size: float = 0.5,
        **kwargs,
    ):
        super().__init__(encoder, decoder, num_steps=num_steps, num_samples=num_samples, **kwargs)
        self.adaptation = AcceptanceStepSize(
            shape=(num_steps,),
            target_accept=target_accept,
            adaptation_rate=adaptation_rate,
            step_size=step_size,
            min_step_size=min_step_size,
            max_step_size=max_step_size,
            name="adaptation",
            dtype=self.dtype,
        )

    @property
    def step_size(self) -> keras.Variable:
        """Of each step, [T]."""
        return self.adaptation.value

    def move(self, batch, features, z, seed, num_steps):
        def step(t, path, context):
            point, log_ratio, log_choice, moves = path
            features, betas, step_size = context
            taken = samplers.adjusted_step(
                self.evaluate_at(batch, features),
                point,
                samplers.hmc_noise(point.state, point.log_final, samplers.fold_in(seed, t)),
                step_size=step_size[t],
                log_density=lambda point: point.log_density(betas[t]),
                gradient=lambda point: point.gradient(betas[t]),
            )
            info = taken.info._replace(energy_error=regular_energy_error(taken.info))
            now = tf.one_hot(t, self.num_steps, dtype=log_ratio.dtype)[:, None, None]
            moves = tf.nest.map_structure(
                lambda all_steps, this: all_steps + now * tf.cast(this, now.dtype), moves, info
            )
            return (
                taken.point,
                log_ratio + taken.log_ratio,
                log_choice + taken.log_choice,
                moves,
            )

        point = self.evaluate_at(batch, features)(z)
        zeros = tf.zeros_like(point.log_final)
        none = tf.repeat(zeros[None], self.num_steps, axis=0)
        point, log_ratio, log_choice, moves = samplers.repeat(
            step,
            (point, zeros, zeros, samplers.TransitionInfo(none, none, none)),
            num_steps,
            context=(features, self.schedule, tf.convert_to_tensor(self.step_size)),
            recompute=self.recomputes,
        )
        moves = tf.nest.map_structure(tf.stop_gradient, moves) if self.num_steps else None
        return Moved(point.state, point.log_final, log_ratio, log_choice, moves)

    def objectives(self, batch, context, latents, seed):
        objectives, metrics = super().objectives(batch, context, latents, seed)
        advantage = tf.stop_gradient(context["log_weights"] - self.control(context["log_weights"]))
        log_choice = context["moved"].log_choice
        score = tf.reduce_mean(advantage * (log_choice - tf.stop_gradient(log_choice)))
        return {"elbo": objectives["elbo"] - score}, metrics

    def control(self, log_weights: tf.Tensor) -> tf.Tensor:
        """The mean of log w over the other chains of each example; 0 of one chain alone: [S, B]."""
        if self.num_samples == 1:
            return tf.zeros_like(log_weights)
        others = tf.reduce_sum(log_weights, 0) - log_weights
        return others / (self.num_samples - 1)

    def state_statistics(self, batch, latents, diagnostics):
        if not self.num_steps:
            return {}
        return {"accept_prob": tf.transpose(tf.reduce_mean(latents.accept_prob, 1))}  # [B, T]

    def next_state(self, statistics):
        if not self.num_steps:
            return []
        return self.adaptation.next_state(tf.reduce_mean(statistics["accept_prob"], 0))

    def get_config(self):
        return super().get_config() | self.adaptation.rule
