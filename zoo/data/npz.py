"""Images in npz archives of arrays."""

import pathlib

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.fields import PixelField
from zoo.data.registry import register_source
from zoo.data.splits import SPLITS, Preparation, Splits, collected


@register_source("npz", path="PATH")
def read_npz(path: pathlib.Path, *, prepare: Preparation) -> Splits:
    """Returns the splits of an archive, as `zoo.data.load` tells.

    Raises:
      UsageError: for a file that is missing or broken, or other arrays than images.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except OSError as error:
        raise UsageError(f"data: cannot read {str(path)!r}: {error.strerror or error}.") from None
    except Exception as error:  # a broken archive can make zip and NumPy raise anything
        raise UsageError(f"data: {str(path)!r} is not a whole npz file: {error}.") from None
    if missing := {"x_train", "x_test"} - set(arrays):
        raise UsageError(
            f"data: {str(path)!r} must hold x_train and x_test; it lacks {sorted(missing)}."
        )
    names = [name for name in SPLITS if f"x_{name}" in arrays]
    images = [arrays[f"x_{name}"] for name in names]
    largest = max((x.max() for x in images if x.size and x.dtype.kind in "iu"), default=0)
    splits = {}
    for name, x in zip(names, images, strict=True):
        x = _bytes_or_floats(x, largest, f"data: x_{name} of {str(path)!r}")
        splits[name] = {"x": collected(tf.data.Dataset.from_tensor_slices(x).map(prepare))}
        if any(f"y_{name}" in arrays for name in names):
            splits[name]["y"] = arrays.get(f"y_{name}", np.full(len(x), -1))
    return splits


def _bytes_or_floats(x, largest, name):
    """Integers up to 255 as bytes, binary ones and floats as floats; `largest` of all splits."""
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or len(x) == 0 or x.dtype.kind not in "fiub":
        raise UsageError(
            f"{name} must hold numbers [N, height, width] or [N, height, width, channels]; "
            f"it was {list(x.shape)} of {x.dtype}."
        )
    if x.dtype.kind in "iu" and largest > 1:
        if not 128 <= largest <= 255 or x.min() < 0:
            raise UsageError(
                f"{name} must hold bytes from 0 to 255, or other levels as floats in [0, 1]; "
                f"its integers run from {x.min()} to {largest}."
            )
        return x.astype(np.uint8)
    return PixelField(x.shape[1:]).check(name, x)
