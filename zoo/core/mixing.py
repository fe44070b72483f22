"""Whether the chains of an image have mixed, as a user is told."""

import warnings

import numpy as np

import samplers
from zoo.core.checks import UsageError

MOST_R_HAT = 1.05


def check_steps_tell(num_steps: int, num_chains: int) -> None:
    """Refuses so few transitions that chains cannot be held against each other.

    Raises:
      UsageError: naming both numbers.
    """
    if num_steps < samplers.FEWEST_STEPS:
        raise UsageError(
            f"num_steps must be at least {samplers.FEWEST_STEPS} to tell whether "
            f"num_chains={num_chains} chains agree; it was {num_steps}."
        )


def warn_of_chains(what: str, r_hat: np.ndarray | None) -> None:
    """Warns of images whose chains do not agree.

    Args:
      what: was asked for, the subject of the sentence.
      r_hat: of every image, [B]; None of single chains.
    """
    if r_hat is None:
        return
    unknown, unmixed = np.isnan(r_hat), r_hat > MOST_R_HAT
    if unknown.any():
        warnings.warn(
            f"{what}: the R-hat of {unknown.sum()} of {len(r_hat)} images is NaN, so "
            "that it is not known whether their chains have mixed.",
            stacklevel=3,
        )
    if unmixed.any():
        warnings.warn(
            f"{what}: the chains of {unmixed.sum()} of {len(r_hat)} images have not mixed, with "
            f"an R-hat of up to {r_hat[unmixed].max():.3g}, above {MOST_R_HAT}; raise num_steps.",
            stacklevel=3,
        )
