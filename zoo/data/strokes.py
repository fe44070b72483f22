"""Pen strokes in npz archives: drawings and handwriting, point by point."""

import functools
import pathlib

import numpy as np

from zoo.core.checks import UsageError
from zoo.core.request_fields import as_booleans
from zoo.core.sequences import LengthField, StrokesField
from zoo.data.npz import read_arrays
from zoo.data.registry import register_source
from zoo.data.sequences import padded, sequence_fields
from zoo.data.splits import Splits


@register_source("strokes", path="PATH", fields=functools.partial(sequence_fields, StrokesField))
def read_strokes(path: pathlib.Path, *, max_length: int | None = None) -> tuple[Splits, dict]:
    """Returns the splits of an archive, as `zoo.data.load` tells, and the grid of its offsets.

    Args:
      path: of the archive.
      max_length: longer sequences are cut there, and told; None keeps them.

    Raises:
      UsageError: for a file that is missing or broken, or arrays that do not fit together.
    """
    arrays, what = read_arrays(path, "points=..., lengths=..."), f"of {str(path)!r}"
    for name in ("points", "lengths"):
        if arrays.get(name) is None:
            raise UsageError(
                f"data: {str(path)!r} must hold points [total, 3], dx, dy and pen up, and lengths "
                f"[N], as numbers; it holds {', '.join(arrays) or 'nothing'}."
            )
    points, lengths = arrays["points"], arrays["lengths"]
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiub":
        raise UsageError(
            f"data: points {what} must be numbers [total, 3], dx, dy and pen up; they were "
            f"{list(points.shape)} of {points.dtype}."
        )
    lengths = LengthField(max_length=len(points)).check(f"data: lengths {what}", lengths)
    if (total := lengths.sum(dtype=np.int64)) != len(points):
        raise UsageError(
            f"data: lengths {what} must sum to the number of points, {len(points)}; they sum to "
            f"{total}."
        )
    split = padded(np.split(points, lengths.cumsum()[:-1]), max_length, str(path))
    is_test = np.zeros(len(lengths), bool)
    for name in ("labels", "is_test"):
        if (values := arrays.get(name)) is not None and values.shape != lengths.shape:
            raise UsageError(
                f"data: {name} {what} must be as long as lengths, {len(lengths)}; it was "
                f"{list(values.shape)}."
            )
    if arrays.get("labels") is not None:
        split["y"] = arrays["labels"]
    if arrays.get("is_test") is not None:
        is_test = as_booleans(f"data: is_test {what}", arrays["is_test"])
    if is_test.all():
        raise UsageError(f"data: is_test {what} must leave examples to train on; it left none.")
    parts = {"train": ~is_test} | ({"test": is_test} if is_test.any() else {})
    splits = {part: {k: array[kept] for k, array in split.items()} for part, kept in parts.items()}
    train = splits["train"]
    sequences = [x[:length, :2] for x, length in zip(train["x"], train["length"], strict=True)]
    return splits, {"grid": grid_of(sequences)}


def grid_of(sequences: list[np.ndarray]) -> float:
    """Finds the step of the grid on which numbers lie that a device has rounded.

    The step of a sequence is the greatest number of which all of its numbers are whole multiples,
    within a ten-thousandth of the largest, which float32 may be off by. Each may have its own,
    since drawings may be scaled by their sizes; the median stands for all of them.

    Args:
      sequences: arrays of any shape.

    Returns:
      The median over the sequences; 0 where half of them or more lie on no grid.
    """
    return float(np.median([_step(sequence) for sequence in sequences]))


def _step(numbers):
    """The greatest common divisor of rounded numbers, by Euclid's algorithm; 0 if there is none."""
    rest = np.unique(np.abs(numbers.astype(np.float64)))
    rounding = _ROUNDING * rest.max(initial=0)
    step = 0.0
    while (rest := rest[rest > rounding]).size:
        step = rest.min()
        if step < _FINEST * rounding:
            return 0.0
        rest = np.abs(rest - step * np.round(rest / step))
    return step


_ROUNDING = 1e-4  # of the largest number of a sequence
_FINEST = 4  # a grid cannot be told from rounding if its step is below so many times that
