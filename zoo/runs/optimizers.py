"""The optimizer of a config, and how its learning rate falls."""

from collections.abc import Sequence

import keras
import numpy as np

from zoo.core.checks import UsageError, check_choice, check_count, check_positive

OPTIMIZERS = ("Adam", "Adamax", "RMSprop", "SGD")
# What Keras takes whatever it is: it passes a clipnorm of -1 by, and a beta_1 of 2 diverges.
_POSITIVE = ("clipnorm", "global_clipnorm", "clipvalue", "epsilon")
_SHARES = ("beta_1", "beta_2", "rho", "momentum", "ema_momentum", "weight_decay")


def make_optimizer(
    name: str,
    num_steps: int,
    learning_rate: float | Sequence[float],
    final_learning_rate: float | None = None,
    num_stages: int | None = None,
    boundaries: Sequence[float] | None = None,
    **kwargs,
) -> keras.optimizers.Optimizer:
    """A Keras optimizer whose learning rate is piecewise constant.

    Args:
      name: one of `OPTIMIZERS`.
      num_steps: of the whole training.
      learning_rate: one, or several that follow each other.
      final_learning_rate: what one learning rate falls to: once, for the last fifth of all steps,
        or, with stages, geometrically from stage to stage.
      num_stages: of the learning rate, each three times as long as the one before (Burda et al.
        2016: 1, 3, ..., 3^7 epochs).
      boundaries: where each of several learning rates but the first begins, as shares of all steps;
        by default they all last equally long.
      **kwargs: as the optimizer.

    Returns:
      The optimizer.

    Raises:
      UsageError: for another optimizer, learning rates that do not fit the rest, or an argument out
        of its range.
    """
    several = isinstance(learning_rate, list | tuple)
    for rate in learning_rate if several else [learning_rate]:
        check_positive(learning_rate=rate)
    if several and final_learning_rate is not None:
        raise UsageError("final_learning_rate is for one learning_rate, not for several.")
    if boundaries is not None and (not several or len(boundaries) != len(learning_rate) - 1):
        raise UsageError("boundaries must be one fewer than there are learning rates.")
    if boundaries is not None:
        check_positive(**{f"boundaries[{i}]": share for i, share in enumerate(boundaries)})
        if sorted({*boundaries, 1}) != [*boundaries, 1]:
            raise UsageError(f"boundaries must rise and be below 1; they were {boundaries!r}.")
    if num_stages is not None:
        check_count(num_stages=num_stages)
        if final_learning_rate is None or num_stages < 2:
            raise UsageError("num_stages must be at least 2, and comes with final_learning_rate.")
    if several:
        rates = list(learning_rate)
        ends = boundaries or [(i + 1) / len(rates) for i in range(len(rates) - 1)]
    elif final_learning_rate is None:
        rates, ends = [learning_rate], []
    elif num_stages is None:
        check_positive(final_learning_rate=final_learning_rate)
        rates, ends = [learning_rate, final_learning_rate], [4 / 5]
    else:
        check_positive(final_learning_rate=final_learning_rate)
        rates = np.geomspace(learning_rate, final_learning_rate, num_stages).tolist()
        ends = (np.cumsum(3.0 ** np.arange(num_stages))[:-1] * 2 / (3.0**num_stages - 1)).tolist()
    learning_rate = rates[0]
    if ends:
        steps = [int(num_steps * end) for end in ends]
        learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
    optimizer = getattr(keras.optimizers, check_choice("optimizer", name, OPTIMIZERS))
    for argument, value in kwargs.items():
        if value is None:
            continue
        if argument in _POSITIVE:
            check_positive(**{argument: value})
        elif argument in _SHARES and (isinstance(value, bool | str) or not 0 <= value < 1):
            raise UsageError(f"{argument} must be from 0 to below 1; it was {value!r}.")
    return optimizer(learning_rate=learning_rate, **kwargs)
