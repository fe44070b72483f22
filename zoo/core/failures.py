"""Chains and images that failed: they are told, and left out only where that was asked for."""

import warnings

import numpy as np


def check_weights(
    what: str, num_failed: np.ndarray, num_chains: int, *, skip_failed: bool, chains: str = "chains"
) -> None:
    """Refuses estimates of which some weights are not numbers, unless these shall be left out.

    Args:
      what: is estimated, the subject of the sentence.
      num_failed: how many weights of every image are NaN or infinite, [N].
      num_chains: weights of an image.
      skip_failed: whether the images are scored by their other weights.
      chains: what has a weight, in the plural.

    Raises:
      FloatingPointError: naming the images, and the number of their chains.
    """
    failed = np.flatnonzero(num_failed)
    left = num_failed.sum() < num_chains * len(num_failed)
    if not len(failed) or (skip_failed and left):
        return
    have = "has" if len(failed) == 1 else "have"
    told = (
        f"{what}: {_images(failed, len(num_failed))} {have} weights that are NaN or infinite, in "
        f"{num_failed.sum()} of {num_chains * len(failed)} {chains}"
    )
    hint = "skip_failed=True (--skip_failed) scores by the others" if left else "no other is left"
    raise FloatingPointError(f"{told}; {hint}.")


def check_figures(what: str, values: np.ndarray, *, skip_failed: bool | None) -> None:
    """Refuses figures of images of which some are NaN, unless these shall be left out.

    Args:
      what: the figures are, the subject of the sentence.
      values: of every image, [N].
      skip_failed: whether the others count alone; None where they cannot.

    Raises:
      FloatingPointError: naming the images.
    """
    failed = np.flatnonzero(np.isnan(values))
    if not len(failed) or (skip_failed and len(failed) < len(values)):
        return
    hint = "; skip_failed=True (--skip_failed) leaves such images out"
    told = f"{what}: it is NaN for {_images(failed, len(values))}"
    raise FloatingPointError(f"{told}{'' if skip_failed is None else hint}.")


def warned_of_failed(what: str, predicted: np.ndarray) -> np.ndarray:
    """Returns predictions, and warns the caller's caller of those that are not finite.

    Args:
      what: has predicted, the subject of the sentence.
      predicted: [N, ...].
    """
    failed = sum(not np.isfinite(one).all() for one in predicted)
    if failed:
        warnings.warn(
            f"{what}: {failed} of {len(predicted)} examples have predictions that are NaN or "
            "infinite.",
            stacklevel=3,
        )
    return predicted


_MOST_NAMED = 5


def _images(failed, size):
    """Such as "2 of 100 images (numbers 3, 17)", counted from 0."""
    numbers = ", ".join(map(str, failed[:_MOST_NAMED]))
    more = len(failed) - _MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(failed)} of {size} images (number{'s' * (len(failed) > 1)} {numbers}{rest})"
