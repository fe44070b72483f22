"""How the step size of short-run chains is learned (Nijkamp et al. 2020, section 4.3)."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_choice, check_count, check_flag, check_positive
from zoo.parts.part import make_part

METHODS = ("fixed", "grid", "gradient")
ENTROPIES = ("conditional", "marginal")
LOG_DETS = ("exact", "lanczos")


@dataclasses.dataclass(frozen=True)
class StepSizeSearch:
    """Minimises the mean over images of KL(q_s(z given x) || p(z given x)) in the step size s.

    q_s is the law of the chain's last state. Its entropy is "conditional" on the noise, as the
    paper computes it, from the log-determinants of the steps; or "marginal", from `num_chains`
    chains of each image, for few latents. All step sizes are compared at the same noise.

    Attributes:
      method: "fixed" for no search; "grid" takes the best of `grid`; "gradient" is a step of Adam
        on log s.
      per_step: whether each of the K steps has a size of its own, by gradient.
      interval: training steps from one search to the next, T_s.
      num_images: of the batch, the first so many.
      entropy: "conditional" or "marginal".
      log_det: "exact", or "lanczos" for hundreds of latents (5 Hessian-vector products a step).
      num_chains: of an image.
      grid: step sizes, as the standard deviation of a step's noise.
      learning_rate: of Adam.
      clip: bound on the gradient in log s, nats.

    Raises:
      UsageError: for an attribute out of its range.
    """

    method: str = "fixed"
    per_step: bool = False
    interval: int = 100
    num_images: int = 20
    entropy: str = "conditional"
    log_det: str = "exact"
    num_chains: int = 1
    grid: Sequence[float] = tuple(i / 100 for i in range(1, 16))
    learning_rate: float = 0.05
    clip: float = 100.0

    def __post_init__(self):
        check_choice("method", self.method, METHODS)
        check_flag(per_step=self.per_step)
        if self.method == "grid" and self.per_step:
            raise UsageError("method must be 'gradient' for per_step; a grid has one size for all.")
        check_choice("entropy", self.entropy, ENTROPIES)
        check_choice("log_det", self.log_det, LOG_DETS)
        check_count(interval=self.interval, num_images=self.num_images, num_chains=self.num_chains)
        check_positive(learning_rate=self.learning_rate, clip=self.clip)
        if not isinstance(self.grid, list | tuple):
            raise UsageError(f"grid must be a list of step sizes; it was {self.grid!r}.")
        if not self.grid:
            raise UsageError("grid must hold at least one step size; it was empty.")
        for size in self.grid:
            check_positive(grid=size)
        object.__setattr__(self, "grid", tuple(self.grid))  # whatever a config brought
        if self.entropy == "marginal" and self.num_chains < 2:
            raise UsageError("num_chains must be at least 2 for the marginal entropy; it was 1.")

    def objective(self, model, batch: dict, step_size: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Estimates the KL of each image, less the unknown log p(x).

        Minus the conditional one is a lower bound on log p(x), on average, where no step folds the
        space: s^2 / 2 times the largest curvature of -log p(x, z) is below 1 everywhere.

        Args:
          model: has `prior`, `log_joint` and `num_steps`.
          batch: what the model explains, [B, ...] each.
          step_size: s, one for all steps or one for each.
          seed: int or int32[2].

        Returns:
          Nats, [B], which can be differentiated in the step size.
        """
        start = model.prior.sample(
            [self.num_chains, tf.shape(batch["x"])[0]], samplers.fold_in(seed, "prior")
        )
        arguments = {
            "num_steps": model.num_steps,
            "step_size": step_size,
            "seed": samplers.fold_in(seed, "langevin"),
        }

        def log_joint(z):
            return model.log_joint(batch, z)

        if self.entropy == "marginal":
            per_chain = samplers.marginal_step_size_objective(log_joint, start, **arguments)
        else:
            per_chain = samplers.step_size_objective(
                log_joint, start, initial=model.prior.log_prob, log_det=self.log_det, **arguments
            )
        return tf.reduce_mean(per_chain, 0)

    def statistics(self, model, batch: dict, step_size: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Tells what a batch says on the step size.

        Args:
          model: has `prior`, `log_joint` and `num_steps`.
          batch: what the model explains, of which the first `num_images` are looked at.
          step_size: where the gradient is taken.
          seed: int or int32[2].

        Returns:
          The mean objective at each size of the grid, [G], or its gradient in log s.
        """
        batch = {name: value[: self.num_images] for name, value in batch.items()}
        if self.method == "gradient":
            log_size = tf.math.log(step_size)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(log_size)
                value = tf.reduce_mean(self.objective(model, batch, tf.exp(log_size), seed))
            return tape.gradient(value, log_size)

        def mean_objective(size):
            return tf.reduce_mean(self.objective(model, batch, size, seed))

        # One after the other, so that memory does not grow with the grid.
        return tf.map_fn(
            mean_objective, tf.constant(self.grid, step_size.dtype), parallel_iterations=1
        )

    def improved(
        self, step_size: tf.Tensor, moments: tf.Tensor, statistics: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes the next step of the search.

        Args:
          step_size: s so far.
          moments: Adam's, [2, ...].
          statistics: as `statistics` gives them, averaged over replicas.
          count: the number of this search, from 1 on.

        Returns:
          The step size and the moments after it.
        """
        if self.method == "grid":
            # Not a number is the worst of all.
            statistics = tf.where(tf.math.is_finite(statistics), statistics, statistics.dtype.max)
            return tf.gather(
                tf.constant(self.grid, step_size.dtype), tf.argmin(statistics)
            ), moments
        # Where steps fold the space, its gradient has no variance: one outlier would stop Adam.
        statistics = tf.where(tf.math.is_finite(statistics), statistics, 0.0)
        statistics = tf.clip_by_value(statistics, -self.clip, self.clip)
        first, second = tf.unstack(moments)
        first = 0.9 * first + 0.1 * statistics
        second = 0.99 * second + 0.01 * statistics**2
        count = tf.cast(count, first.dtype)
        unbiased = first / (1 - 0.9**count), second / (1 - 0.99**count)
        change = self.learning_rate * unbiased[0] / (tf.sqrt(unbiased[1]) + 1e-8)
        return step_size * tf.exp(-change), tf.stack([first, second])


def get_step_size_search(search: str | dict | StepSizeSearch | None) -> StepSizeSearch:
    """Makes a search by its method or by a dictionary of its attributes.

    Args:
      search: such a method or dictionary, an object, or None for "fixed".

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown method, or attributes that it does not have.
    """
    search = {"method": search} if isinstance(search, str) else search
    return make_part("step_size_search", {"search": StepSizeSearch}, search)
