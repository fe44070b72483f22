"""How well classes are told: the accuracy, and whether probabilities are what they say."""

import numpy as np

from zoo.core.checks import check_count
from zoo.scores.registry import Scoring, register_score


@register_score(
    units={
        "accuracy": "of the labelled images",
        "calibration_error": "difference of probability and accuracy, 15 bins",
    },
    needs=("classify",),
)
def classification_scores(scoring: Scoring) -> dict:
    """The accuracy of `classify`, and its expected calibration error; none without labels."""
    y = scoring.batch["y"]
    if not (y >= 0).any():
        return {"accuracy": None, "calibration_error": None}
    labelled = {name: value[y >= 0] for name, value in scoring.batch.items()}
    probabilities = scoring.model.classify(labelled["x"])["probabilities"]
    correct = probabilities.argmax(1) == labelled["y"]
    bins = reliability(probabilities, labelled["y"])
    gaps = bins["count"] * np.abs(bins["accuracy"] - bins["confidence"])
    return {
        "accuracy": float(correct.mean()),
        "calibration_error": float(np.nansum(gaps) / len(correct)),
    }


def reliability(
    probabilities: np.ndarray, y: np.ndarray, num_bins: int = 15
) -> dict[str, np.ndarray]:
    """Holds the probabilities of the classes that are told against how often these are right.

    Args:
      probabilities: of the classes, [N, C].
      y: labels, [N].
      num_bins: into which the largest probability of each example falls, equally wide in [0, 1].

    Returns:
      Of each bin the `count` of examples, their mean `confidence`, and their `accuracy`, which are
      NaN without examples: [num_bins] (Guo et al. 2017, On Calibration of Modern Neural Networks).

    Raises:
      UsageError: for a number of bins that is not positive.
    """
    check_count(num_bins=num_bins)
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == y
    place = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    count = np.bincount(place, minlength=num_bins)

    def mean(values):
        sums = np.bincount(place, values, minlength=num_bins)
        return np.divide(sums, count, out=np.full(num_bins, np.nan), where=count > 0)

    return {"count": count, "confidence": mean(confidence), "accuracy": mean(correct)}
