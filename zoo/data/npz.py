"""Images in npz archives of arrays."""

import math
import pathlib
import re

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.choices import IMAGE_FILES
from zoo.core.fields import PixelField
from zoo.data.registry import register_source
from zoo.data.splits import SPLITS, Preparation, Splits, collected, split_of

# What people call images and labels.
_X = ("x", "image", "images", "img", "imgs", "data", "inputs", "samples", "pixels")
_Y = ("y", "label", "labels", "target", "targets")
_ROLES = dict.fromkeys(_X, "x") | dict.fromkeys(_Y, "y")
_CHANNELS = (1, 3)


@register_source("npz", path="PATH")
def read_npz(path: pathlib.Path, *, prepare: Preparation) -> Splits:
    """Returns the splits of an archive, as `zoo.data.load` tells.

    Raises:
      UsageError: for a file that is missing or broken, or other arrays than images.
    """
    arrays = read_arrays(path, "x_train=..., y_train=...")
    keys = _keys(path, arrays)
    if ("x", "train") not in keys:
        held = ", ".join(f"{k} {_told(array)}" for k, array in arrays.items()) or "nothing"
        raise UsageError(
            f"data: {str(path)!r} must hold x_train, and maybe y_train, x_validation, x_test and "
            f"so on; it holds {held}."
        )
    images = {}
    for split in SPLITS:
        if ("x", split) in keys:
            images[split] = _images(arrays[keys["x", split]], f"data: x of {str(path)!r} {split}")
    numbers = [x for x in images.values() if x.size and x.dtype.kind in "fiu"]
    largest = max((np.max(x, where=np.isfinite(x), initial=0) for x in numbers), default=0)
    splits = {}
    for split, x in images.items():
        x = _bytes_or_floats(x, largest, f"data: x_{split} of {str(path)!r}")
        splits[split] = {"x": collected(tf.data.Dataset.from_tensor_slices(x).map(prepare))}
        if ("y", split) in keys:
            y = _labels(arrays[keys["y", split]], f"data: y of {str(path)!r} {split}")
            splits[split]["y"] = y
    return splits


def read_arrays(path: pathlib.Path, example: str) -> dict[str, np.ndarray | None]:
    """Reads the arrays of a file.

    Args:
      path: of an npz file, or of a single array, which is called "x".
      example: arguments of `np.savez` by which such a file is made, for messages.

    Returns:
      Arrays by name; None in place of Python objects.

    Raises:
      UsageError: for a file that is missing or broken.
    """
    if path.is_dir():
        raise UsageError(
            f"data: {str(path)!r} must be a file; for a folder of pictures the source is "
            "'images:DIR', for one of recordings 'audio:DIR'."
        )
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):  # of a .npy file
            return {"x": file}
        with file:
            return {name: _array(file, name) for name in file.files}
    except OSError as error:
        raise UsageError(f"data: cannot read {str(path)!r}: {error.strerror or error}.") from None
    except Exception as error:  # a broken archive can make zip and NumPy raise anything
        reason = _what_it_is(path, example) or error
        raise UsageError(f"data: {str(path)!r} is not a whole npz file: {reason}.") from None


def _array(file, name):
    try:
        return file[name]
    except ValueError as error:
        if "Object arrays" in str(error):
            return None
        raise


def _what_it_is(path, example):
    """What else than an archive a file is, with what would be right; None if it cannot be told."""
    start = path.read_bytes()[:1000]
    if start.startswith(b"\x80"):
        return (
            "it is pickled, which is not read, since it could run any code; save arrays by "
            f"np.savez(path, {example})"
        )
    if start and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start):
        return f"it is text; save arrays by np.savez(path, {example})"
    if path.suffix.lower() in IMAGE_FILES:
        return "it is a picture; for a folder of pictures the source is 'images:DIR'"
    if not start.startswith((b"PK", b"\x93NUMPY")):
        return f"it does not begin as one; save arrays by np.savez(path, {example})"
    return None


def _keys(path, arrays) -> dict[tuple[str, str], str]:
    """The name of the array that is the images, or the labels, of a split."""
    found = {}
    for key in arrays:
        words = [w.lower() for w in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", key) if w]
        roles = {_ROLES[word] for word in words if word in _ROLES}
        splits = {split_of(word) for word in words} - {None}
        is_known = words and all(word in _ROLES or split_of(word) for word in words)
        if is_known and len(roles) <= 1 and len(splits) <= 1:
            found.setdefault(((*roles, "x")[0], (*splits, "train")[0]), []).append(key)
    if set(arrays) in ({"arr_0"}, {"arr_0", "arr_1"}):  # as np.savez(path, x, y) names them
        found = {(role, "train"): [key] for role, key in zip("xy", sorted(arrays), strict=False)}
    for (role, split), keys in found.items():
        if len(keys) > 1 and f"{role}_{split}" not in keys:
            raise UsageError(
                f"data: {str(path)!r} must say which array the {role} of {split} is; "
                f"it holds {' and '.join(keys)}."
            )
    return {
        (role, split): keys[0] if len(keys) == 1 else f"{role}_{split}"
        for (role, split), keys in found.items()
    }


def _told(array):
    return "of Python objects" if array is None else f"{list(array.shape)} {array.dtype}"


def _numbers(array, name):
    if array is None:
        raise UsageError(
            f"{name} must hold numbers; it is kept as Python objects, which are not read: "
            "np.stack(images) makes one array of images of one size."
        )
    return array


def _images(x, name):
    """Numbers [N, height, width, channels]."""
    x = _numbers(x, name)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim == 4 and x.shape[1] in _CHANNELS and x.shape[-1] not in _CHANNELS:
        x = x.transpose(0, 2, 3, 1)
    if x.ndim != 4 or len(x) == 0 or x.dtype.kind not in "fiub":
        side = math.isqrt(x.shape[1]) if x.ndim == 2 else 0
        rgb_side = math.isqrt(x.shape[1] // 3) if x.ndim == 2 else 0
        hint = ""
        if side and side**2 == x.shape[1]:
            hint = f", which may be {[len(x), side, side]}"
        elif rgb_side and 3 * rgb_side**2 == x.shape[1]:
            hint = f", which may be {[len(x), rgb_side, rgb_side, 3]}"
        raise UsageError(
            f"{name} must hold numbers [N, height, width] or [N, height, width, channels]; "
            f"it was {list(x.shape)} of {x.dtype}{hint}."
        )
    return x


def _labels(y, name):
    """Labels as they are, [N]: numbers or names, also of [N, 1] or of one-hot rows."""
    y = _numbers(y, name)
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim == 2:
        one_hot = y.dtype.kind in "fiub" and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()
        if not one_hot:
            raise UsageError(
                f"{name} must be as labels [N], or one-hot [N, classes]; it was {list(y.shape)} "
                f"of {y.dtype}."
            )
        return y.argmax(1)
    return y


def _bytes_or_floats(x, largest, name):
    """Whole numbers up to 255 as bytes, others as floats; `largest` of all splits."""
    is_whole = x.dtype.kind in "iu"
    if x.dtype.kind == "f" and largest > 1:
        is_whole = np.isfinite(x).all() and x.min() >= 0 and (x == np.round(x)).all()
    if is_whole and largest > 1:
        if not 128 <= largest <= 255 or x.min() < 0:
            raise UsageError(
                f"{name} must hold bytes from 0 to 255, or other levels as floats in [0, 1]; "
                f"its integers run from {x.min()} to {largest}."
            )
        return x.astype(np.uint8)
    return PixelField(x.shape[1:]).check(name, x)
