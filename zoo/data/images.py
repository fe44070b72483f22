"""Images in folders of picture files."""

import glob
import os
import pathlib

import keras
import numpy as np
from PIL import Image

from zoo.core.checks import UsageError
from zoo.core.progress import verbosity
from zoo.data.registry import register_source
from zoo.data.splits import SPLITS, Splits, preparation

_IMAGE_FILES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")


@register_source("images", path="DIR")
def read_images(
    path: pathlib.Path,
    *,
    size: int | None = None,
    grey: bool = False,
    invert: bool = False,
    verbose: bool = True,
) -> Splits:
    """Returns the splits of a folder of pictures, as `zoo.data.load` tells.

    Raises:
      UsageError: for a folder that is missing, holds no images, or some that are broken or of
        several shapes.
    """
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
    number = sum(map(len, files.values()))
    bar = keras.utils.Progbar(number, verbose=verbosity(verbose), unit_name="image")
    prepare = preparation(size, grey, invert)
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
    return splits


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
