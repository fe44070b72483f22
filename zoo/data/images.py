"""Images in folders of picture files."""

import collections
import pathlib

import numpy as np
from PIL import Image, ImageOps

from zoo.core.checks import UsageError
from zoo.core.choices import IMAGE_FILES
from zoo.data.folders import whole_files, with_classes
from zoo.data.registry import register_source
from zoo.data.splits import Preparation, Splits

_GREY = ("1", "L", "LA", "La")


@register_source("images", path="DIR")
def read_images(path: pathlib.Path, *, prepare: Preparation, verbose: bool = True) -> Splits:
    """Returns the splits of a folder of pictures, as `zoo.data.load` tells.

    Warns of files that are no images, or broken ones, and are skipped.

    Raises:
      UsageError: for a folder that is missing, has no whole image, or some of several sizes.
    """
    first = None  # height and width, which all have
    images, folders = collections.defaultdict(list), collections.defaultdict(list)
    for split, folder, picture in whole_files(path, IMAGE_FILES, read_picture, "image", verbose):
        image = prepare(picture).numpy()
        first = first or image.shape
        if image.shape[:2] != first[:2]:
            raise _of_several_sizes(path, first, image.shape)
        images[split].append(image)
        folders[split].append(folder)
    x = dict(zip(images, _alike(images.values()), strict=True))
    return with_classes({split: {"x": x[split]} for split in x}, folders)


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Reads the pixels of a picture file, turned as the camera says.

    Of several frames it is the first. What is transparent is seen on white paper, whatever is not
    grey, by its kind or its palette, is in three channels.

    Args:
      path: of the file.

    Returns:
      Bytes, 16 bits or floats in [0, 1], [height, width, 1 or 3].

    Raises:
      OSError, ValueError: and others that a broken file makes Pillow raise.
    """
    with Image.open(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith(("I", "F")):
            levels = np.asarray(image)
            lowest, highest, top = levels.min(), levels.max(), 1.0 if image.mode == "F" else 65535
            if not 0 <= lowest <= highest <= top:
                raise ValueError(
                    f"its levels must be from 0 to {top}; they run from {lowest} to {highest}"
                )
            return levels.astype(np.float32 if image.mode == "F" else np.uint16)[..., None]
        mode, palette = "L" if image.mode in _GREY else "RGB", image.mode.startswith("P")
        if image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(paper, image.convert("RGBA"))
        pixels = np.asarray(image.convert(mode))
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        is_grey_palette = palette and (pixels == pixels[..., :1]).all()
        return pixels[..., :1] if is_grey_palette else pixels


def _of_several_sizes(path, *shapes):
    sides = [side for shape in shapes for side in shape[:2]]
    size = min(64, *sides)
    told = " and ".join(f"{height} by {width}" for height, width, *_ in shapes)
    return UsageError(
        f"data: the images of {str(path)!r} must have one size; they were {told}, for instance: "
        f"give size={size}, which in a program is --config.data.size={size}."
    )


def _alike(splits):
    """Images of the splits as arrays of one number of channels; of bytes, if all are bytes."""
    everything = [image for images in splits for image in images]
    channels = max(image.shape[-1] for image in everything)
    are_bytes = all(image.dtype == np.uint8 for image in everything)

    def alike(image):
        if image.dtype == np.uint8 and not are_bytes:
            image = image / np.float32(255)
        return np.broadcast_to(image, (*image.shape[:2], channels))

    return [np.stack([alike(image) for image in images]) for images in splits]
