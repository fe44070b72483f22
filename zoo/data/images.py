"""Images in folders of picture files."""

import collections
import pathlib

import numpy as np
from absl import logging
from PIL import Image, ImageOps

from zoo.core.checks import UsageError
from zoo.core.choices import IMAGE_FILES
from zoo.data.folders import whole_files, with_classes
from zoo.data.registry import register_source
from zoo.data.splits import Preparation, Splits

_GREY = ("1", "L", "LA", "La")
# Of TIFF: its tags, and values of theirs.
_BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_BYTES, _KIND = 258, 259, 262, 279, 339
_NONE, _WHITE_IS_ZERO, _SIGNED = 1, 0, 2
_TOP = 65535  # of 16 bits


@register_source("images", path="DIR")
def read_images(path: pathlib.Path, *, prepare: Preparation, verbose: bool = True) -> Splits:
    """Returns the splits of a folder of pictures, as `zoo.data.load` tells.

    Warns of files that are no images, or broken ones, and are skipped; and of pictures of 16 bits
    that seem to be of fewer.

    Raises:
      UsageError: for a folder that is missing, has no whole image, or some of several sizes.
    """
    first, brightest = None, 0  # height and width, which all have, and the level of 16 bits
    images, folders = collections.defaultdict(list), collections.defaultdict(list)
    for split, folder, picture in whole_files(path, IMAGE_FILES, read_picture, "image", verbose):
        image = prepare(picture).numpy()
        first = first or image.shape
        if image.shape[:2] != first[:2]:
            raise _of_several_sizes(path, first, image.shape)
        brightest = max(brightest, picture.max() if picture.dtype == np.uint16 else 0)
        images[split].append(image)
        folders[split].append(folder)
    _told_if_dark(path, int(brightest))
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
        bits, white_is_0 = _samples(image)
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith(("I", "F")):
            levels = np.asarray(image)
            lowest, highest = levels.min(), levels.max()
            top, dtype = (1.0, np.float32) if image.mode == "F" else (2**bits - 1, np.uint16)
            if not 0 <= lowest <= highest <= top:
                raise ValueError(
                    f"its levels must be from 0 to {top}; they run from {lowest} to {highest}"
                )
            levels = top - levels if white_is_0 else levels
            if top not in (1.0, _TOP):
                levels = np.round(levels * (_TOP / top))
            return levels.astype(dtype)[..., None]
        mode, palette = "L" if image.mode in _GREY else "RGB", image.mode.startswith("P")
        if image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(paper, image.convert("RGBA"))
        pixels = np.asarray(image.convert(mode))
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        is_grey_palette = palette and (pixels == pixels[..., :1]).all()
        return pixels[..., :1] if is_grey_palette else pixels


def _samples(image):
    """The bits of a file's samples, of which Pillow tells 12 as 16, and whether 0 is white, which
    it turns in bytes alone.

    Raises:
      ValueError: for samples whose scale is not known.
    """
    tags = getattr(image, "tag_v2", {})  # of TIFF; of other files Pillow has made 16 bits
    bits = tags.get(_BITS, (16,))[0]
    signed = _SIGNED in tags.get(_KIND, ())
    if signed or (bits > 16 and image.mode == "I"):
        raise ValueError(
            "its samples must be unsigned, of up to 16 bits, or floats; they are "
            f"{'signed' if signed else 'unsigned'}, of {bits} bits"
        )
    if bits == 12 and tags.get(_COMPRESSION) == _NONE:
        width, height = image.size
        if sum(tags.get(_STRIP_BYTES, ())) > height * -(-width * bits // 8):
            raise ValueError("its samples of 12 bits must be packed, without bits between them")
    return bits, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _told_if_dark(path, brightest):
    """Warns where 16 bits hold nothing but levels that fewer would: their scale is a guess."""
    bits = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
    if brightest > 0 and bits < 16:
        logging.warning(
            "data: the pictures of 16 bits of %r reach level %d of %d at most, as those of %d bits "
            "do, and are read as dark as that; if they should not be, multiply their levels by %d.",
            str(path),
            brightest,
            _TOP,
            bits,
            2 ** (16 - bits),
        )


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
