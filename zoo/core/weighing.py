"""Whether the weights of an image tell its log p(x), as a user is told."""

import warnings
from collections.abc import Iterator

import numpy as np

_BAD_SHARE = 0.2  # of the images: of few chains chance alone makes the k of a tenth large
_FEW = 5
_HEAVY = 0.7


def unequal_weights(
    effective_sample_size: np.ndarray,
    pareto_k: np.ndarray | float,
    *,
    what: str,
    num_weights: int,
    kind: str,
    remedy: str,
) -> Iterator[str]:
    """Sentences on weights so unequal that an estimate by them cannot be trusted.

    Args:
      effective_sample_size: of every image's weights, [N].
      pareto_k: the shape of their tail, [N]; or NaN where weights are too few to tell.
      what: is estimated, the subject of the sentences.
      num_weights: of an image.
      kind: what has a weight, in the plural.
      remedy: the argument that is to be raised.

    Yields:
      One where few weights count, and one where their tail is heavy, in more than a fifth of the
      images.
    """
    size = len(effective_sample_size)
    few = min(_FEW, num_weights / 2)
    too_few = np.sum(effective_sample_size < few)
    heavy = np.sum(pareto_k > _HEAVY)
    so = f"so that it is too low, and more so than its error over {kind} tells; raise {remedy}."
    if too_few > _BAD_SHARE * size:
        yield (
            f"{what}: in {too_few} of {size} images fewer than {few:g} of {num_weights} {kind} "
            f"count effectively, {so}"
        )
    if heavy > _BAD_SHARE * size:
        yield (
            f"{what}: the Pareto k of the weights is above {_HEAVY} for {heavy} of {size} images, "
            f"{so}"
        )


def warn_of_weights(*weights: np.ndarray, **told) -> None:
    """Warns the caller's caller of what `unequal_weights`, of the same arguments, says."""
    for sentence in unequal_weights(*weights, **told):
        warnings.warn(sentence, stacklevel=3)
