"""Runs as figures ask for them."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import keras
import ml_collections
import numpy as np

from zoo.data import Data
from zoo.runs import experiment, outputs


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
        return experiment.load(self.workdir)

    @functools.cached_property
    def data(self) -> Data:
        """The data of its config."""
        return experiment.load_data(self.config)

    @functools.cached_property
    def evaluation(self) -> tuple[dict, np.ndarray]:
        """The scores that it was given, by name, and the log-likelihood of every image."""
        return outputs.read_log_likelihood(self.workdir)


def open_runs(workdirs: Sequence[str]) -> list[Run]:
    """Several runs, labelled by the names of their directories, or by their paths if names recur.

    Raises:
      UsageError: if one of them holds no config.
    """
    names = [pathlib.Path(workdir).resolve().name for workdir in workdirs]
    labels = names if len(set(names)) == len(names) else workdirs
    return [
        Run(workdir, experiment.load_config(workdir), label)
        for label, workdir in zip(labels, workdirs, strict=True)
    ]
