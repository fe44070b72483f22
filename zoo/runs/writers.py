"""The files that a training leaves: each is written by a function that registers itself."""

import csv
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoo import data, scores
from zoo.analysis import pictures
from zoo.core.abilities import defines
from zoo.core.files import atomic_write, write_json
from zoo.runs.manifest import claim
from zoo.runs.run import EVALUATION, LOG_LIKELIHOOD, Run
from zoo.runs.workdir import MODEL
from zoo.scores.chunks import collect


class Writer(NamedTuple):
    """What writes some files of a run when its training has ended.

    Attributes:
      write: takes the run, whose model is fitted.
      files: the names of what it writes.
      needs: abilities that a model must have.
    """

    write: Callable[[Run], None]
    files: tuple[str, ...]
    needs: tuple[str, ...]


_WRITERS: list[Writer] = []


def register_writer(*files: str, needs: tuple[str, ...] = ()) -> Callable:
    """Adds a function that writes files of a run when its training has ended.

    Args:
      *files: their names. The function passes each to `zoo.runs.manifest.claim`, and writes what
        that returns.
      needs: names of methods; the function is called for models whose class defines them.

    Returns:
      A decorator of a function of a `Run`.
    """

    def add(write):
        _WRITERS.append(Writer(write, files, needs))
        return write

    return add


def file_names() -> list[str]:
    """Names of all files that registered functions may write."""
    return [name for writer in _WRITERS for name in writer.files]


def write_files(run: Run) -> None:
    """Writes all that a training leaves: what the registered functions write of such a model."""
    for writer in _WRITERS:
        if all(defines(run.model, name) for name in writer.needs):
            writer.write(run)


@register_writer(MODEL)
def write_model(run: Run) -> None:
    """Writes the model: its networks, its state, and the state of its optimizer."""
    with atomic_write(claim(run.workdir, MODEL)) as partial:
        run.model.save(partial)


@register_writer(EVALUATION, LOG_LIKELIHOOD)
def write_evaluation(run: Run) -> None:
    """Scores the model on the test images as its config says, and writes and prints the scores."""
    found, per_image = scores.report(
        run.model, run.data.test, seed=run.config.seed, **run.config.evaluation
    )
    write_json(claim(run.workdir, EVALUATION), found)
    if per_image is not None:
        path = claim(run.workdir, LOG_LIKELIHOOD)
        with atomic_write(path) as partial, partial.open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["index", "log_likelihood"])
            writer.writerows(enumerate(per_image.tolist()))
    print(f"\n{run.model.name} on {found['num_images']} test images")
    for name, unit in scores.units().items():
        if name in found:
            value = "-" if found[name] is None else f"{found[name]:.4f}"
            print(f"  {name:<26}{value:>10}  {unit}")


@register_writer("samples.png", needs=("sample",))
def write_sample_picture(run: Run) -> None:
    """Draws a square of samples; of a conditional model they complete the first test image."""
    drawn = pictures.samples(run.model, _test_images(run), seed=run.config.seed)
    write_picture(run, "samples.png", pictures.square(drawn["mean"]))


@register_writer("reconstructions.png", needs=("reconstruct",))
def write_reconstruction_picture(run: Run) -> None:
    """Draws test images above their reconstructions."""
    rows = pictures.reconstructions(run.model, _test_images(run), run.config.seed)
    write_picture(run, "reconstructions.png", rows)


@register_writer("inpainting.png", needs=("inpaint",))
def write_inpainting_picture(run: Run) -> None:
    """Draws test images and completions of their lower halves, or of what the model is for."""
    x, model = _test_images(run), run.model
    (visible,) = data.completion_masks(model, default="bottom").values()
    drawn = pictures.completions(model, x, visible, run.config.seed)
    write_picture(run, "inpainting.png", pictures.inpainting(x, visible, drawn["mean"]))


def write_picture(run: Run, name: str, rows: np.ndarray) -> None:
    """Writes rows of images as a picture of the run, and prints its path."""
    path = claim(run.workdir, name)
    with atomic_write(path) as partial:
        pictures.save_grid(partial, rows)
    print(path)


def write_arrays(run: Run, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as an npz file of the run, and prints its path."""
    path = claim(run.workdir, name)
    with atomic_write(path) as partial:
        np.savez_compressed(partial, **arrays)
    print(path)


def _test_images(run):
    return collect(run.model, run.data.test, min(10, run.data.num_examples["test"]))
