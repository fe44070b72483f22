"""Decoders that learn from weighted, annealed samples (Ding and Freedman 2020), and special cases.

One algorithm: draw K samples of q(z given x), anneal each to p(x, z), weigh them, and let the
decoder climb the weighted mean of log p(x, z). What the special cases fix:

    VAE     K = 1, one increment, no move
    IWAE    one increment, no move; the encoder climbs the importance-weighted bound
    MH-HMC  inverse temperatures 0, 1, ..., 1; equal weights
"""

from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from zoo.core import annealing
from zoo.core.checks import UsageError, check_choice, check_count, check_positive
from zoo.core.registry import register
from zoo.models.vae import VAE

SCHEDULES = annealing.SCHEDULES | {"jump": samplers.jump_schedule}
WEIGHTS = ("annealed", "equal")
GRADIENTS = ("dreg", "plain")


class WeightedSamples(NamedTuple):
    """What the decoder learns from, drawn off the tape.

    Attributes:
      z: the ends of the chains, [K, B, ...].
      weights: which sum to one over the chains of an example, [K, B].
      log_weight_gradient: d (log p(x, z) - log q(z given x)) / dz at `z`.
      accept_prob: acceptance probability of every move, averaged over chains, [moves, B].
      bound: log of the chains' mean weight in nats, which is below log p(x) on average, [B].
    """

    z: tf.Tensor
    weights: tf.Tensor
    log_weight_gradient: tf.Tensor
    accept_prob: tf.Tensor
    bound: tf.Tensor


@register(tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 2, "num_increments": 3})
class AnnealedVAE(VAE):
    """A VAE whose decoder learns by annealed importance sampling (Ding and Freedman 2020, alg. 1).

    K chains per example start at draws z^0 of q(z given x) and pass the densities
    q(z given x)^(1 - b_t) p(x, z)^(b_t), t = 1 ... T, with one HMC move each; w is their annealed
    importance weight. The decoder climbs sum_k w_k log p(x, z_k^T) / sum_k w_k, the encoder the
    one-sample bound at the first chain's z^0. More chains and more increments both trade
    computation for less bias, in constant memory.

    Every move has a step size of its own, which shrinks after a minibatch in which its acceptance
    probability, averaged over chains and examples, was below `target_accept`, and else grows.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_samples: chains K.
      num_increments: T, steps between temperatures. (The paper's tables seem to count
        temperatures: its T = 5 and T = 11 are 4 and 10 increments.)
      num_leapfrog_steps: L, of each move.
      schedule: "linear" as the paper, "sigmoid", or "jump": 0, 1, ..., 1.
      weights: "annealed" importance weights, or "equal" ones.
      last_move: whether chains move once more after their last weight, at temperature 1.
      target_accept: mean acceptance probability of a move.
      adaptation_rate: a step size changes by this fraction per minibatch.
      step_size: of all moves at the start.
      min_step_size: step sizes stay above.
      max_step_size: step sizes stay below.
      **kwargs: `likelihood`, `shear` and `seed`, as `VAE`.

    Raises:
      UsageError: as `VAE`, and for a value out of its range.

    The defaults of the sampler are those of the authors' code.
    """

    metric_names = (
        "bound",
        "mse",
        "importance_weighted_bound",
        "effective_sample_size",
        "accept_rate",
        "energy_error",
        "mean_step_size",
    )
    fixed = {}  # what a special case sets, by the names of the arguments

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_samples: int = 5,
        num_increments: int = 4,
        num_leapfrog_steps: int = 5,
        schedule: str = "linear",
        weights: str = "annealed",
        last_move: bool = True,
        target_accept: float = 0.6,
        adaptation_rate: float = 0.002,
        step_size: float = 0.1,
        min_step_size: float = 0.001,
        max_step_size: float = 0.3,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_choice("schedule", schedule, SCHEDULES)
        check_choice("weights", weights, WEIGHTS)
        counts = {
            "num_samples": num_samples,
            "num_increments": num_increments,
            "num_leapfrog_steps": num_leapfrog_steps,
        }
        rates = {
            "target_accept": target_accept,
            "adaptation_rate": adaptation_rate,
            "step_size": step_size,
            "min_step_size": min_step_size,
            "max_step_size": max_step_size,
        }
        check_count(**counts)
        check_positive(**rates)
        for name in ("target_accept", "adaptation_rate"):
            if rates[name] >= 1:
                raise UsageError(f"{name} must be less than 1; it was {rates[name]!r}.")
        if not min_step_size <= step_size <= max_step_size:
            raise UsageError(
                f"step_size must be from min_step_size, {min_step_size!r}, to max_step_size, "
                f"{max_step_size!r}; it was {step_size!r}."
            )
        choices = {"schedule": schedule, "weights": weights, "last_move": bool(last_move)}
        self.annealing = counts | rates | choices
        self.num_samples = num_samples
        self.num_moves = num_increments if last_move else num_increments - 1
        self.step_size = None
        if self.num_moves:
            self.step_size = self.add_weight(
                name="step_size",
                shape=(self.num_moves,),
                initializer=keras.initializers.Constant(step_size),
                trainable=False,
            )

    def anneal(self, x, posterior, z, seed) -> samplers.AISResult:
        """Anneals draws `z` [S, B, ...] of the posterior to p(x, z)."""
        return samplers.annealed_importance_sampling(
            posterior.log_prob,
            lambda z: self.log_joint(x, z),
            z,
            SCHEDULES[self.annealing["schedule"]](self.annealing["num_increments"]),
            move=samplers.hamiltonian_move(self.annealing["num_leapfrog_steps"]),
            step_size=tf.convert_to_tensor(self.step_size) if self.num_moves else 0.0,
            last_move=self.annealing["last_move"],
            seed=seed,
        )

    def weigh(self, log_weights: tf.Tensor) -> tf.Tensor:
        """The weights of K chains, which sum to one over the first axis, from annealed ones."""
        if self.annealing["weights"] == "equal":
            log_weights = tf.zeros_like(log_weights)
        return tf.nn.softmax(log_weights, 0)

    def infer(self, x, num_samples, seed, visible=None, num_steps=100):
        """Draws of q_AIS, each one of K chains by its weight (alg. 2); masked, the base's chain."""
        if visible is not None:
            return super().infer(x, num_samples, seed, visible, num_steps)
        posterior, z = self._draw(
            x, num_samples * self.num_samples, samplers.fold_in(seed, "amortise")
        )
        result = self.anneal(x, posterior, z, samplers.fold_in(seed, "anneal"))

        def by_chain(value):  # [K S, ...] -> [K, S, ...]
            return tf.reshape(value, [self.num_samples, num_samples, -1, *value.shape[2:]])

        weights = self.weigh(by_chain(result.log_weights))
        z = samplers.resample(
            by_chain(result.state),
            tf.math.log(weights),
            samplers.fold_in(seed, "resample"),
        )
        return z, self._move_diagnostics(result)

    # Training.

    @property
    def parameter_groups(self):
        return self._inference_and_generation

    def amortise(self, batch, seed):
        posterior, z = self._draw(batch["x"], self.num_samples, seed)
        return {"posterior": posterior, "z": z}

    def sample_latents(self, batch, context, seed):
        result = self.anneal(batch["x"], context["posterior"], context["z"], seed)
        weights = self.weigh(result.log_weights)
        bound = annealing.log_mean_exp(result.log_weights)
        latents = WeightedSamples(
            z=result.state,
            weights=tf.cast(weights, result.step_size.dtype),
            log_weight_gradient=result.end.grad_final - result.end.grad_initial,
            accept_prob=result.accept_prob[:, 0],
            bound=tf.cast(bound, result.step_size.dtype),
        )
        diagnostics = {
            "importance_weighted_bound": latents.bound,
            "effective_sample_size": annealing.effective_sample_size(latents.weights),
        }
        return latents, diagnostics | self._move_diagnostics(result)

    def objectives(self, batch, context, latents, seed):
        log_joint = self.log_joint(batch["x"], latents.z)
        generation = -tf.reduce_mean(tf.reduce_sum(latents.weights * log_joint, 0))
        inference, metrics = self.inference_objective(batch, context, latents, seed)
        if self.num_moves:
            metrics |= {"mean_step_size": tf.reduce_mean(self.step_size)}
        return {"inference": inference, "generation": generation}, metrics

    def inference_objective(self, batch, context, latents, seed) -> tuple[tf.Tensor, dict]:
        """What the encoder descends: minus the one-sample bound, at the first chain's start."""
        first = context | {"z": context["z"][:1]}
        objectives, metrics = super().objectives(batch, first, latents, seed)
        return objectives["elbo"], metrics

    def state_statistics(self, batch, latents, diagnostics):
        return {"accept_prob": tf.transpose(latents.accept_prob)} if self.num_moves else {}

    def next_state(self, statistics):
        if not self.num_moves:
            return []
        too_low = tf.reduce_mean(statistics["accept_prob"], 0) < self.annealing["target_accept"]
        rate = self.annealing["adaptation_rate"]
        step_size = self.step_size * tf.where(too_low, 1 - rate, 1 + rate)
        bounds = self.annealing["min_step_size"], self.annealing["max_step_size"]
        return [(self.step_size, tf.clip_by_value(step_size, *bounds))]

    def _move_diagnostics(self, result):
        """What the moves tell of themselves, averaged over them: [B] each."""
        if not self.num_moves:
            return {}
        return {
            "accept_rate": tf.reduce_mean(result.accept_prob, [0, 1]),
            "energy_error": tf.reduce_mean(result.energy_error, [0, 1]),
        }

    def get_config(self):
        arguments = {k: v for k, v in self.annealing.items() if k not in self.fixed}
        return super().get_config() | arguments


@register(tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 2, "num_increments": 2})
class MHHMC(AnnealedVAE):
    """Several HMC chains at temperature 1, with equal weights (MH-HMC of Ding and Freedman 2020).

    The estimator of Hoffman (2017) with K chains instead of one, and with the sampler of
    `AnnealedVAE`, whose arguments it takes except `schedule` and `weights`. Every one of the
    `num_increments` moves leaves p(z given x) invariant.
    """

    fixed = {"schedule": "jump", "weights": "equal"}

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        super().__init__(encoder, decoder, **_with(self.fixed, kwargs))


@register(tiny={"latent_dim": 4, "hidden": (16,), "num_samples": 3})
class IWAE(AnnealedVAE):
    """The importance-weighted autoencoder (Burda, Grosse and Salakhutdinov 2016).

    Decoder and encoder climb L_K = E[log (1/K) sum_k w_k], w_k = p(x, z_k) / q(z_k given x).

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_samples: K.
      gradient: the estimator of the encoder's gradient. "dreg", doubly reparameterised (Tucker,
        Lawson, Gu and Maddison 2019, eq. 8): sum_k w_k^2 (d log w_k / dz_k) (dz_k / d phi), weights
        normalised, which has less variance. "plain": sum_k w_k (d log w_k / d phi), Burda et al.'s.
      **kwargs: `likelihood`, `shear` and `seed`, as `VAE`.
    """

    fixed = {
        "num_increments": 1,
        "last_move": False,
        "schedule": "linear",
        "weights": "annealed",
        # Of moves, of which there are none.
        "num_leapfrog_steps": 1,
        "target_accept": 0.6,
        "adaptation_rate": 0.002,
        "step_size": 0.1,
        "min_step_size": 0.001,
        "max_step_size": 0.3,
    }

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_samples: int = 5,
        gradient: str = "dreg",
        **kwargs,
    ):
        super().__init__(encoder, decoder, num_samples=num_samples, **_with(self.fixed, kwargs))
        self.gradient = check_choice("gradient", gradient, GRADIENTS)

    @property
    def parameter_groups(self):
        """The shear is the generative model's: only through p(x, z) does the bound depend on it."""
        shear = [] if self.shear is None else self.shear.trainable_variables
        inference, generation = super().parameter_groups.values()
        owned = {v.path for v in shear}
        return {
            "inference": [v for v in inference if v.path not in owned],
            "generation": generation + shear,
        }

    def inference_objective(self, batch, context, latents, seed):
        if self.gradient == "dreg":
            moved = tf.reduce_sum(latents.log_weight_gradient * context["z"], -1)
            climbed = tf.reduce_sum(latents.weights**2 * moved, 0)
        else:
            log_weights = self._log_weights(batch["x"], context["posterior"], context["z"])
            climbed = tf.reduce_sum(latents.weights * log_weights, 0)
        # The value is minus the bound L_K, the gradient that of what is climbed.
        return -tf.reduce_mean(latents.bound + climbed - tf.stop_gradient(climbed)), {}

    def get_config(self):
        return super().get_config() | {"gradient": self.gradient}


def _with(fixed, arguments):
    """Both together, once it is known that no argument is given that the special case fixes."""
    if refused := sorted(fixed.keys() & arguments):
        raise UsageError(
            f"{refused[0]} is fixed in this special case of AnnealedVAE; leave it out."
        )
    return fixed | arguments
