"""Step sizes that follow the acceptance of their chains, and those that descend a gradient."""

import keras
import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_positive
from zoo.parts.part import Part


class AcceptanceStepSize(Part):
    """Step sizes that shrink after a minibatch with too low an acceptance, and else grow.

    Args:
      step_size: all of them at the start.
      shape: of the step sizes, () for one.
      target_accept: the acceptance probability below which a step size shrinks.
      adaptation_rate: it changes by this fraction per minibatch.
      min_step_size: it stays above.
      max_step_size: it stays below.

    Raises:
      UsageError: for a value out of its range.
    """

    def __init__(
        self,
        *,
        step_size: float,
        shape: tuple[int, ...] = (),
        target_accept: float,
        adaptation_rate: float,
        min_step_size: float,
        max_step_size: float,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.rule = {
            "target_accept": target_accept,
            "adaptation_rate": adaptation_rate,
            "step_size": step_size,
            "min_step_size": min_step_size,
            "max_step_size": max_step_size,
        }
        check_positive(**self.rule)
        for name in ("target_accept", "adaptation_rate"):
            if self.rule[name] >= 1:
                raise UsageError(f"{name} must be less than 1; it was {self.rule[name]!r}.")
        if min_step_size > max_step_size:
            raise UsageError(
                f"min_step_size must be at most max_step_size, {max_step_size!r}; "
                f"it was {min_step_size!r}."
            )
        if not min_step_size <= step_size <= max_step_size:
            raise UsageError(
                f"step_size must be from min_step_size, {min_step_size!r}, to max_step_size, "
                f"{max_step_size!r}; it was {step_size!r}."
            )
        self.value = self.add_weight(
            name="step_size",
            shape=shape,
            initializer=keras.initializers.Constant(step_size),
            trainable=False,
        )
        self.built = True

    def next_state(self, accept_prob: tf.Tensor) -> list[tuple]:
        """Tells what the step sizes become after a minibatch.

        Args:
          accept_prob: acceptance probabilities, in the shape of the step sizes.

        Returns:
          (variable, new value) pairs.
        """
        too_low = accept_prob < self.rule["target_accept"]
        rate = self.rule["adaptation_rate"]
        step_size = self.value * tf.where(too_low, 1 - rate, 1 + rate)
        bounds = self.rule["min_step_size"], self.rule["max_step_size"]
        return [(self.value, tf.clip_by_value(step_size, *bounds))]


class LearnedStepSize(Part):
    """Step sizes that are learned as weights are, s = max_step_size sigmoid(a).

    One for each latent is a diagonal mass matrix: leapfrog steps of size s with masses m are those
    of sizes s / sqrt(m) with masses 1.

    Args:
      step_size: all of them at the start.
      max_step_size: they stay below.
      shape: of the step sizes.

    Raises:
      UsageError: for a value out of its range.
    """

    def __init__(self, *, step_size: float, max_step_size: float, shape: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        check_positive(step_size=step_size, max_step_size=max_step_size)
        if step_size >= max_step_size:
            raise UsageError(
                f"step_size must be less than max_step_size, {max_step_size!r}; it was "
                f"{step_size!r}."
            )
        self.limits = {"step_size": step_size, "max_step_size": max_step_size}
        share = step_size / max_step_size
        self.logit = self.add_weight(
            name="logit",
            shape=shape,
            initializer=keras.initializers.Constant(float(np.log(share / (1 - share)))),
        )
        self.built = True

    @property
    def value(self) -> tf.Tensor:
        """s, of the shape of the step sizes."""
        return self.limits["max_step_size"] * tf.sigmoid(tf.convert_to_tensor(self.logit))
