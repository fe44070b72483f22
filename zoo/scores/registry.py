"""The registry of scores: each says which models have it, what it computes, and in which unit."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoo.core.abilities import defines
from zoo.core.trainable import TrainableModel

Figures = dict[str, float | str | list[str] | np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Scoring:
    """A fitted model, the examples that it is scored on, and how that is done.

    Attributes:
      model: the model, which has prepared for its scores.
      batch: the examples' fields, [N, ...] each, pixels in [0, 1].
      prepared: what the model told of its preparation.
      annealing: settings of `zoo.core.annealing.Annealing` that differ from the model's own.
      num_simulated: images that are simulated for bidirectional Monte Carlo.
      num_importance_samples: draws of the proposal for each image.
      chunk_size: examples at a time.
      seed: int, of everything random.
      skip_failed: whether what is NaN is left out, and counted.
      verbose: whether progress bars are shown.
      warnings: what scores add sentences to, on what cannot be trusted.
    """

    model: TrainableModel
    batch: dict[str, np.ndarray]
    prepared: dict[str, float]
    annealing: dict
    num_simulated: int
    num_importance_samples: int
    chunk_size: int
    seed: int
    skip_failed: bool
    verbose: bool
    warnings: list[str] = dataclasses.field(default_factory=list)

    @property
    def common(self) -> dict:
        """Arguments that all scores over chunks of images take."""
        return {
            "chunk_size": self.chunk_size,
            "seed": self.seed,
            "skip_failed": self.skip_failed,
        }


class Score(NamedTuple):
    """A score of the registry.

    Attributes:
      function: returns figures by name: numbers, words, or a number for each example, [N], whose
        mean is reported.
      units: the unit of each number that it returns, by the number's name.
      needs: names of methods that a model's class must define, or of properties that must be true.
      rank: where two scores give the same figure, that of the smaller rank counts.
    """

    function: Callable[[Scoring], Figures]
    units: dict[str, str]
    needs: tuple[str, ...]
    rank: int

    def applies(self, model: TrainableModel) -> bool:
        """Returns whether a model has this score."""
        return all(defines(model, name) and bool(getattr(model, name)) for name in self.needs)


_SCORES: list[Score] = []


def register_score(
    *, units: dict[str, str], needs: tuple[str, ...] = (), rank: int = 10
) -> Callable[[Callable[[Scoring], Figures]], Callable[[Scoring], Figures]]:
    """Adds a score, which `zoo.scores.report` then computes of all models that have it.

    Args:
      units: the unit of each number, by its name; the table of a run prints what is in here.
      needs: names of methods that a model's class must define, or of properties that must be true.
      rank: where two scores give the same figure, that of the smaller rank counts.

    Returns:
      A decorator of a function from a `Scoring` to figures by name.
    """

    def add(function):
        _SCORES.append(Score(function, units, needs, rank))
        return function

    return add


def registered_scores() -> list[Score]:
    """Returns all scores, those of smaller ranks first."""
    return sorted(_SCORES, key=lambda score: score.rank)


def units() -> dict[str, str]:
    """Returns the unit of every number that a report may hold, by its name, in order."""
    return {name: unit for score in registered_scores() for name, unit in score.units.items()}
