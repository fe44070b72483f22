"""How a model's latents are annealed from its prior or posterior to p(x, z): the AIS of scores."""

import dataclasses

import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core.checks import check_choice, check_count
from zoo.core.choices import STARTS
from zoo.core.compiled import compiled_method

SCHEDULES = {"linear": samplers.linear_schedule, "sigmoid": samplers.sigmoid_schedule}


@dataclasses.dataclass(frozen=True)
class Annealing:
    """A protocol of annealed importance sampling (Neal 2001; Wu et al. 2017).

    The chains of an image anneal from the prior, or from the model's posterior, to p(x, z). Their
    step sizes are tuned in a pilot run of other chains and then frozen. With the pilot run the cost
    is 2 num_chains num_increments num_leapfrog_steps gradients per image.

    Attributes:
      num_chains: S, over whose weights the mean is taken.
      num_increments: T, steps between temperatures.
      num_leapfrog_steps: of the move at each temperature.
      start: "posterior" or "prior".
      schedule: "sigmoid" or "linear".

    Raises:
      UsageError: for an attribute out of its range.
    """

    weighed = "chains"  # what has a weight
    remedy = "num_increments"  # which is to be raised where weights are too unequal

    num_chains: int = 16
    num_increments: int = 200
    num_leapfrog_steps: int = 5
    start: str = "posterior"
    schedule: str = "sigmoid"

    def __post_init__(self):
        check_count(
            num_chains=self.num_chains,
            num_increments=self.num_increments,
            num_leapfrog_steps=self.num_leapfrog_steps,
        )
        check_choice("start", self.start, STARTS)
        check_choice("schedule", self.schedule, SCHEDULES)

    def __str__(self):
        return (
            f"{self.num_chains} chains, {self.num_increments} {self.schedule} increments from the "
            f"{self.start}, {self.num_leapfrog_steps} leapfrog steps"
        )

    @property
    def num_weights(self) -> int:
        """S, of every image."""
        return self.num_chains

    def log_weights(self, model, batch: dict, seed: Seed) -> tf.Tensor:
        """Log weights in nats whose mean weight estimates p(x), [S, B]."""
        return self.run(model, batch, seed)[0].log_weights

    def run(
        self, model, batch: dict, seed: Seed, exact: tf.Tensor | None = None
    ) -> tuple[samplers.AISResult, samplers.AISResult | None]:
        """Anneals forward and, given an exact posterior draw [B, ...] per image, back from it.

        Args:
          model: has `prior`, `log_joint` and, for this start, `posterior_distribution`.
          batch: what the model explains, [B, ...] each.
          seed: int or int32[2].
          exact: z* ~ p(z given x), where all reverse chains begin.

        Returns:
          Chains [num_chains, B] of the forward run, and of the reverse run or None.
        """
        betas, size = SCHEDULES[self.schedule](self.num_increments), tf.shape(batch["x"])[0]
        initial = _initial(model, self.start, batch)

        def run(state, betas, step_size, role, tuning_rate=0.0):
            return _anneal(
                model,
                self.start,
                batch,
                state,
                betas,
                step_size,
                tf.constant(self.num_leapfrog_steps),
                tf.constant(tuning_rate, state.dtype),
                samplers.fold_in(seed, role),
            )

        def draws(role):
            return initial.sample(self.num_chains, samplers.fold_in(seed, role))

        start = draws("pilot")
        untuned = tf.fill([self.num_increments, 1, size], tf.constant(0.5, start.dtype))
        step_size = run(start, betas, untuned, "pilot moves", 0.1).step_size
        forward = run(draws("start"), betas, step_size, "moves")
        if exact is None:
            return forward, None
        # The reverse run makes the moves of the same temperatures, and one more at 0, last.
        reverse = tf.concat([step_size[::-1][1:], step_size[:1]], 0)
        state = tf.repeat(exact[None], self.num_chains, axis=0)
        return forward, run(state, betas[::-1], reverse, "reverse moves")


def _initial(model, start, batch):
    """The density where the chains start, of batch shape [B]."""
    if start == "posterior":
        return model.posterior_distribution(batch)
    return tfp.distributions.BatchBroadcast(model.prior, [tf.shape(batch["x"])[0]])


@compiled_method
def _anneal(
    model, start, batch, state, betas, step_size, num_leapfrog_steps, tuning_rate, seed
) -> samplers.AISResult:
    """Any of a protocol's runs: one program of a model serves them all."""
    initial = _initial(model, start, batch)
    return samplers.annealed_importance_sampling(
        initial.log_prob,
        lambda z: model.log_joint(batch, z),
        state,
        betas,
        step_size=step_size,
        move=samplers.hamiltonian_move(num_leapfrog_steps, scale=initial.stddev(), jitter=0.5),
        tuning_rate=tuning_rate,
        seed=seed,
    )


@dataclasses.dataclass(frozen=True)
class ImportanceSampling:
    """Scores by the model's own `log_weights`, where there is no prior that can be annealed.

    Attributes:
      num_samples: over whose weights the mean is taken.

    Raises:
      UsageError: for an attribute out of its range.
    """

    weighed = "samples"
    remedy = "num_samples"

    num_samples: int = 500

    def __post_init__(self):
        check_count(num_samples=self.num_samples)

    @property
    def num_weights(self) -> int:
        """As `Annealing.num_weights`."""
        return self.num_samples

    def log_weights(self, model, batch: dict, seed: Seed) -> tf.Tensor:
        """As `Annealing.log_weights`."""
        return _log_weights(model, batch, self.num_samples, seed)


@compiled_method
def _log_weights(model, batch, num_samples, seed):
    return model.log_weights(batch, num_samples, seed)
