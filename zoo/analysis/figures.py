"""The registry of figures: from a name to a function of runs, and from its result to files."""

import csv
import dataclasses
import functools
import inspect
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import keras
import ml_collections
from matplotlib.figure import Figure

from zoo.core.checks import UsageError, check_choice
from zoo.core.files import written_whole
from zoo.runs import experiment


@dataclasses.dataclass(frozen=True)
class Run:
    """A work directory that scripts/train.py wrote; its model is loaded when it is asked for.

    Attributes:
      label: what figures and tables call it.
      workdir: its path.
      config: its config.
    """

    label: str
    workdir: str
    config: ml_collections.ConfigDict

    @functools.cached_property
    def model(self) -> keras.Model:
        """Its fitted model."""
        return experiment.load(self.workdir)


class Plot(NamedTuple):
    """A figure and the table of its numbers.

    Attributes:
      figure: the picture.
      columns: of the table, their names.
      rows: of the table.
    """

    figure: Figure
    columns: Sequence[str]
    rows: Sequence[Sequence]


_FIGURES: dict[str, Callable[..., Plot]] = {}


def register_figure(function: Callable[..., Plot]) -> Callable[..., Plot]:
    """Adds a figure under its function's own name.

    The function takes keyword arguments that have defaults, among them `seed`, after the runs that
    it compares, `runs`, unless it needs none. The first line of its docstring says what it shows.
    """
    _FIGURES[function.__name__] = function
    return function


def descriptions() -> dict[str, str]:
    """Names of all registered figures, and what each shows."""
    return {name: inspect.getdoc(_FIGURES[name]).splitlines()[0] for name in sorted(_FIGURES)}


def runs_of(workdirs: Sequence[str]) -> list[Run]:
    """Work directories as runs, labelled by their names, or by their paths if names recur.

    Raises:
      UsageError: if one of them holds no config.
    """
    names = [pathlib.Path(workdir).resolve().name for workdir in workdirs]
    labels = names if len(set(names)) == len(names) else workdirs
    return [
        Run(label, workdir, experiment.load_config(workdir))
        for label, workdir in zip(labels, workdirs, strict=True)
    ]


def check(name: str, runs: Sequence[Run], settings: Collection[str] = ()) -> None:
    """Refuses an unknown figure or setting, and one that compares runs where there are none."""
    check_choice("figure", name, _FIGURES)
    known = sorted(set(inspect.signature(_FIGURES[name]).parameters) - {"runs"})
    for setting in settings:
        check_choice(f"settings of {name}", setting, known)
    if _compares_runs(name) and not runs:
        raise UsageError(f"workdir must be given for {name}: --workdir=DIR,DIR.")


def draw(name: str, runs: Sequence[Run] = (), **settings) -> Plot:
    """The figure of that name.

    Args:
      name: as registered.
      runs: what it compares, in order.
      **settings: as its function.

    Raises:
      UsageError: for an unknown name or setting, no runs, or what its function refuses.
    """
    check(name, runs, settings)
    return _FIGURES[name](*([runs] if _compares_runs(name) else []), **settings)


def write(plot: Plot, out: pathlib.Path, name: str) -> None:
    """Writes NAME.png and NAME.csv into the folder `out`, each whole or not at all."""
    with written_whole(out / f"{name}.png") as partial:
        plot.figure.savefig(partial, format="png", dpi=150)
    with (
        written_whole(out / f"{name}.csv") as partial,
        partial.open("w", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(plot.columns)
        writer.writerows(plot.rows)


def _compares_runs(name):
    return "runs" in inspect.signature(_FIGURES[name]).parameters
