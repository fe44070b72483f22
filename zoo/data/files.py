"""Images in files: npz archives, and folders of pictures."""

import glob
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from zoo.core.checks import UsageError, check_images
from zoo.data.splits import SPLITS, Prepare, Split, collected, held_out


def read_npz(path: pathlib.Path, prepare: Prepare) -> dict[str, Split]:
    """The splits of an archive of arrays, as `zoo.data.load` tells."""
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
        if (y := arrays.get(f"y_{name}")) is not None:
            splits[name]["y"] = y.astype(np.int32) if y.dtype.kind in "iu" else y
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
    return check_images(x, x.shape[1:], name)


_IMAGE_FILES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")


def read_images(path: pathlib.Path, prepare: Prepare, verbose: bool) -> dict[str, Split]:
    """The splits of a folder of pictures, as `zoo.data.load` tells."""
    if not path.is_dir():
        raise UsageError(f"data: there is no folder {str(path)!r}.")
    found = {folder.name for folder in path.iterdir() if folder.is_dir()}
    named = [name for name in SPLITS if name in found]
    if named and not {"train", "test"} <= found <= set(SPLITS):
        raise UsageError(
            f"data: {str(path)!r} must have the folders train and test, and no other beside them "
            f"but validation, or none of these; it has {', '.join(sorted(found))}."
        )
    folders = {name: path / name for name in named} or {"train": path}
    files = {name: sorted(_image_files(folder)) for name, folder in folders.items()}
    for name, found in files.items():
        if not found:
            raise UsageError(
                f"data: {str(folders[name])!r} must hold image files ({', '.join(_IMAGE_FILES)})."
            )
    size = sum(map(len, files.values()))
    bar = keras.utils.Progbar(size, verbose=int(verbose), unit_name="image")
    opened = {
        name: [_opened(folders[name] / file, prepare, bar) for file in found]
        for name, found in files.items()
    }
    shapes = {image.shape for images in opened.values() for image in images}
    if len(shapes) > 1:
        raise UsageError(
            f"data: the images of {str(path)!r} must have one shape, or size and grey must make "
            f"them so; they were {' and '.join(str(s) for s in sorted(shapes)[:2])}, for instance."
        )
    splits = {name: {"x": np.stack(images)} for name, images in opened.items()}
    # A class is the folder of an image, from its split's folder on.
    folder_of = {name: [os.path.dirname(file) for file in found] for name, found in files.items()}
    classes = sorted(set().union(*folder_of.values()))
    if len(classes) > 1:
        for name, labels in folder_of.items():
            splits[name]["y"] = np.array([classes.index(label) for label in labels], np.int32)
    return splits if named else held_out(splits, "test")


def _image_files(folder):
    # Not Path.rglob, which passes links to folders by.
    files = glob.iglob("**/*", root_dir=folder, recursive=True)
    return (file for file in files if file.lower().endswith(_IMAGE_FILES))


def _opened(file, prepare, bar):
    try:
        with Image.open(file) as image:
            if image.has_transparency_data:  # seen on white paper
                image = Image.alpha_composite(
                    Image.new("RGBA", image.size, "white"), image.convert("RGBA")
                )
            if image.mode.startswith("I"):
                pixels = np.asarray(image).astype(np.uint16)  # 16 bits
            else:
                grey_file = image.mode in ("1", "L", "F")
                pixels = np.asarray(image.convert("L" if grey_file else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"data: {str(file)!r} is not a whole image: {error}.") from None
    bar.add(1)
    return prepare(pixels.reshape(*pixels.shape[:2], -1)).numpy()
