"""A run, as its work directory holds it: what programs and figures ask of it."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence

import keras
import ml_collections
import numpy as np

from zoo import data
from zoo.core.checks import UsageError
from zoo.runs import manifest
from zoo.runs.build import load_data
from zoo.runs.workdir import load, load_config, make_workdir

EVALUATION = "evaluation.json"
LOG_LIKELIHOOD = "log_likelihood.csv"
EVALUATIONS = "evaluations"  # those by other settings than the config's


@dataclasses.dataclass
class Run:
    """A run and its work directory; what it holds is read when it is asked for.

    Attributes:
      workdir: the path of its work directory.
      config: what it was run by.
      label: what figures and tables call it.
    """

    workdir: str
    config: ml_collections.ConfigDict
    label: str = ""

    @functools.cached_property
    def model(self) -> keras.Model:
        """Its fitted model."""
        return load(self.workdir)

    @functools.cached_property
    def data(self) -> data.Data:
        """The data of its config."""
        return load_data(self.config)

    @functools.cached_property
    def evaluation(self) -> tuple[dict, np.ndarray]:
        """The scores by its own config, by name, and the log-likelihood of every image.

        Raises:
          UsageError: if they are missing, broken, or not of one evaluation.
        """
        path = pathlib.Path(self.workdir)
        return self._read_evaluation(path / EVALUATION, path / LOG_LIKELIHOOD)

    @property
    def evaluations(self) -> list[tuple[dict, np.ndarray]]:
        """All that it was given, as `evaluation`, which is the first.

        Raises:
          UsageError: as `evaluation`.
        """
        others = sorted((pathlib.Path(self.workdir) / EVALUATIONS).glob("*.json"))
        read = [self._read_evaluation(path, path.with_suffix(".csv")) for path in others]
        return [self.evaluation, *read]

    def _read_evaluation(self, path, table):
        try:
            scores = json.loads(path.read_text())
            values = np.loadtxt(table, delimiter=",", skiprows=1, usecols=1, ndmin=1)
            mean = scores["log_likelihood"]
            if mean is None:
                raise ValueError(f"its log_likelihood in {path.name} is unknown")
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            reason = f"{path.name} has no {error}" if isinstance(error, KeyError) else str(error)
            raise UsageError(
                f"workdir: {self.workdir!r} has no evaluation to read: {reason.removesuffix('.')}."
            ) from None
        left = values[~np.isnan(values)]  # all, but for images that were left out
        if len(values) != scores["num_images"] or not np.isclose(mean, left.mean()):
            raise UsageError(f"workdir: {path.name} and {table.name} of {self.workdir!r} differ.")
        return scores, values


def open_run(workdir: str, *, to_write: bool = False) -> Run:
    """The run of a work directory.

    Args:
      workdir: the path of the directory.
      to_write: whether files will be written into it, which is then tried now.

    Returns:
      The run, labelled by the name of its directory.

    Raises:
      UsageError: if it holds none, or one of another version, its config is broken, or nothing can
        be written there.
    """
    if to_write and manifest.names(workdir):
        make_workdir(workdir)
    return Run(workdir, load_config(workdir), pathlib.Path(workdir).resolve().name)


def open_runs(workdirs: Sequence[str]) -> list[Run]:
    """Several runs, labelled by the names of their directories, or by their paths if names recur.

    Raises:
      UsageError: as `open_run`.
    """
    runs = [open_run(workdir) for workdir in workdirs]
    if len({run.label for run in runs}) < len(runs):
        for run in runs:
            run.label = run.workdir
    return runs
