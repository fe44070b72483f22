"""The files that a training leaves: each is written by a function that registers itself."""

import csv
import hashlib
import json
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.io.wavfile

from zoo import data, scores
from zoo.analysis import pictures
from zoo.core.abilities import defines
from zoo.core.compiled import without_xla
from zoo.core.files import atomic_write, write_json
from zoo.runs.manifest import claim
from zoo.runs.run import EVALUATION, EVALUATIONS, LOG_LIKELIHOOD, Run
from zoo.runs.workdir import CHECKPOINTS, CHUNKS, MODEL, forget
from zoo.scores.chunks import kept_in


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
    """Writes all that a training leaves: what the registered functions write of such a model.

    Of scores that are not numbers, and are not to be left out, it is said that they were not
    written.
    """
    for writer in _WRITERS:
        if all(defines(run.model, name) for name in writer.needs):
            try:
                writer.write(run)
            except FloatingPointError as error:  # the others are not lost for it
                print(f"error: {' and '.join(writer.files)} not written: {error}", file=sys.stderr)


@register_writer(MODEL)
def write_model(run: Run) -> None:
    """Writes the model: its networks, its state, and the state of its optimizer."""
    with atomic_write(claim(run.workdir, MODEL)) as partial:
        run.model.save(partial)


@register_writer(EVALUATION, LOG_LIKELIHOOD)
def write_evaluation(run: Run, changed: dict | None = None) -> None:
    """Scores the model on the test images, and writes and prints the scores.

    Chunks of images are kept until the scores are written and the run is finished, so that an
    evaluation which is interrupted goes on.

    Args:
      run: with a fitted model.
      changed: settings of `scores.report` that differ from the run's own; what is found by them is
        written to a file of their name in a folder of its own.
    """
    workdir = pathlib.Path(run.workdir)
    settings = run.config.evaluation.to_dict() | {"seed": run.config.seed} | (changed or {})
    with kept_in(claim(workdir, CHUNKS, "*.npz") / _digest(run, settings)):
        found, per_image = scores.report(run.model, run.data.test, **settings)
    if changed:
        name = ",".join(f"{key}={value}" for key, value in sorted(changed.items()))
        path = claim(workdir, EVALUATIONS, "*.json", "*.csv") / f"{name}.json"
        table = path.with_suffix(".csv")
    else:
        path = claim(workdir, EVALUATION)
        table = None if per_image is None else claim(workdir, LOG_LIKELIHOOD)
    if per_image is not None:
        with atomic_write(table) as partial, partial.open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["index", "log_likelihood"])
            writer.writerows(enumerate(per_image.tolist()))
    write_json(path, found)
    if not (workdir / CHECKPOINTS).exists():  # and else when all is written
        forget(workdir, CHUNKS)
    print(f"\n{run.model.name} on {found['num_images']} test images: {path}")
    for name, unit in scores.units().items():
        if name in found:
            value = "-" if found[name] is None else f"{found[name]:.4f}"
            print(f"  {name:<26}{value:>10}  {unit}")
    for sentence in found.get("warnings", ()):
        print(f"warning: {sentence}")


def _digest(run, settings):
    """A name for a model, data and settings, of which the same scores follow."""
    told = json.dumps([settings, run.config.data.to_dict()], sort_keys=True)
    digest = hashlib.sha256(told.encode())
    for variable in run.model.variables:
        digest.update(variable.numpy().tobytes())
    for batch in run.data.test:  # a file may have been replaced by another of its name
        digest.update(batch["x"].numpy().tobytes())
    return digest.hexdigest()[:16]


@register_writer("samples.png", needs=("sample",))
def write_sample_picture(run: Run) -> None:
    """Draws a square of samples; of a conditional model they complete the first test image."""
    with without_xla(run.model):
        answer = pictures.samples(run.model, _test_examples(run), seed=run.config.seed)
    write_picture(run, "samples.png", pictures.square(pictures.drawn(run.model, answer)))


@register_writer("reconstructions.png", needs=("reconstruct",))
def write_reconstruction_picture(run: Run) -> None:
    """Draws test examples above their reconstructions."""
    with without_xla(run.model):
        rows = pictures.reconstructions(run.model, _test_examples(run), run.config.seed)
    write_picture(run, "reconstructions.png", rows, pictures.RECONSTRUCTION_NAMES)


@register_writer("inpainting.png", needs=("inpaint",))
def write_inpainting_picture(run: Run) -> None:
    """Draws test examples and completions of their lower halves, or of what the model is for."""
    batch, model = _test_examples(run), run.model
    length = batch.get("length")
    (visible,) = data.completion_masks(model, default="bottom", length=length).values()
    with without_xla(model):
        answers = pictures.completions(model, batch, visible, run.config.seed)
    rows, names = pictures.inpainting(model.fields["x"], batch["x"], visible, answers)
    write_picture(run, "inpainting.png", rows, names)


def write_picture(run: Run, name: str, rows: np.ndarray, names: Sequence[str] = ()) -> None:
    """Writes rows of images, with their names if there are any, and prints the picture's path."""
    path = claim(run.workdir, name)
    with atomic_write(path) as partial:
        pictures.save_grid(partial, rows, names)
    print(path)


def write_sounds(run: Run, name: str, waves: np.ndarray, rate: int) -> None:
    """Writes waves as a WAV file of 16 bits, with pauses of half a second, and prints its path.

    Args:
      run: that the file belongs to.
      name: of the file.
      waves: [N, T, D], frames of samples in [-1, 1]; what is beyond is clipped.
      rate: samples in a second, in Hz.
    """
    path = claim(run.workdir, name)
    waves = np.pad(waves.reshape(len(waves), -1), [(0, 0), (0, rate // 2)])
    samples = np.round(_LOUDEST * np.clip(np.nan_to_num(waves), -1, 1)).astype(np.int16)
    with atomic_write(path) as partial:
        scipy.io.wavfile.write(partial, rate, samples.reshape(-1))
    print(path)


_LOUDEST = 2**15 - 1  # of 16 bits


def write_arrays(run: Run, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as an npz file of the run, and prints its path."""
    path = claim(run.workdir, name)
    with atomic_write(path) as partial:
        np.savez_compressed(partial, **arrays)
    print(path)


def _test_examples(run):
    return pictures.shown(run.model, run.data.test, min(10, run.data.num_examples["test"]))
