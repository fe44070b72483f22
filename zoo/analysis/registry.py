"""The registry of figures: from a name to a function of runs, and from its result to files."""

import csv
import inspect
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

import keras
import ml_collections
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from zoo.core.checks import UsageError, check_choice
from zoo.core.files import atomic_write
from zoo.data import Data


class Run(Protocol):
    """What figures ask of a run; `zoo.runs` opens one from its work directory.

    Attributes:
      label: what figures and tables call it.
      workdir: the path of its work directory.
      config: what it was run by, with every default.
      model: its fitted model, which is loaded when it is asked for.
      data: the data of its config, which are loaded when they are asked for.
      evaluation: its scores by name, and the log-likelihood of every image.
    """

    label: str
    workdir: str
    config: ml_collections.ConfigDict
    model: keras.Model
    data: Data
    evaluation: tuple[dict, np.ndarray]


class Plot(NamedTuple):
    """A figure and the table of its numbers.

    Attributes:
      figure: the picture.
      columns: the names of the table's columns.
      rows: the rows of the table.
      frames: of a moving picture beside it, [height, width, 1 or 3] in [0, 1] each; () for none.
    """

    figure: Figure
    columns: Sequence[str]
    rows: Sequence[Sequence]
    frames: Sequence[np.ndarray] = ()


_FIGURES: dict[str, Callable[..., Plot]] = {}


def register_figure(function: Callable[..., Plot]) -> Callable[..., Plot]:
    """Adds a figure under its function's own name.

    Args:
      function: takes keyword arguments that have defaults, among them `seed`, after the runs that
        it compares, `runs`, unless it needs none. The first line of its docstring says what the
        figure shows.

    Returns:
      The function itself.
    """
    _FIGURES[function.__name__] = function
    return function


def figures() -> dict[str, Callable[..., Plot]]:
    """Returns the functions of all registered figures, by name."""
    return dict(sorted(_FIGURES.items()))


def descriptions() -> dict[str, str]:
    """Returns what each registered figure shows, by its name."""
    return {name: inspect.getdoc(draws).splitlines()[0] for name, draws in figures().items()}


def check(name: str, runs: Sequence[Run], settings: Collection[str] = ()) -> None:
    """Refuses what `draw` would refuse before it draws.

    Args:
      name: of a figure.
      runs: the runs that it is to compare.
      settings: names of settings.

    Raises:
      UsageError: for an unknown figure or setting, or for no runs where it compares some.
    """
    check_choice("figure", name, _FIGURES)
    known = sorted(set(inspect.signature(_FIGURES[name]).parameters) - {"runs"})
    for setting in settings:
        check_choice(f"settings of {name}", setting, known)
    if _compares_runs(name) and not runs:
        raise UsageError(f"workdir must be given for {name}: --workdir=DIR,DIR.")


def draw(name: str, runs: Sequence[Run] = (), **settings) -> Plot:
    """Draws the figure of that name.

    Args:
      name: as registered.
      runs: the runs that it compares, in order.
      **settings: as its function takes them.

    Returns:
      The picture with its table.

    Raises:
      UsageError: for an unknown name or setting, no runs, or what its function refuses.
    """
    check(name, runs, settings)
    return _FIGURES[name](*([runs] if _compares_runs(name) else []), **settings)


def write(plot: Plot, out: pathlib.Path, name: str) -> None:
    """Writes a figure as NAME.png and its table as NAME.csv, each whole or not at all.

    Where the figure moves, NAME.gif is written, too.

    Args:
      plot: what `draw` returned.
      out: the folder to write into.
      name: of both files.

    Raises:
      UsageError: if they cannot be written.
    """
    with atomic_write(out / f"{name}.png") as partial:
        plot.figure.savefig(partial, format="png", dpi=150)
    if len(plot.frames):
        first, *others = [
            Image.fromarray(np.uint8(255 * np.clip(frame.repeat(3 // frame.shape[-1], -1), 0, 1)))
            for frame in plot.frames
        ]
        with atomic_write(out / f"{name}.gif") as partial:
            first.save(partial, "GIF", save_all=True, append_images=others, duration=80, loop=0)
    with (
        atomic_write(out / f"{name}.csv") as partial,
        partial.open("w", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(plot.columns)
        writer.writerows(plot.rows)


def _compares_runs(name):
    return "runs" in inspect.signature(_FIGURES[name]).parameters
