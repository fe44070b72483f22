"""Images in folders of picture files."""

import collections
import functools
import glob
import os
import pathlib

import keras
import numpy as np
from absl import logging
from PIL import Image, ImageOps

from zoo.core.checks import UsageError
from zoo.core.choices import IMAGE_FILES
from zoo.core.progress import verbosity
from zoo.data.registry import register_source
from zoo.data.splits import Preparation, Splits, split_of

_NOBODYS = ("__MACOSX", "Thumbs.db", "desktop.ini")  # which systems leave; hidden like .DS_Store
_GREY = ("1", "L", "LA", "La")


@register_source("images", path="DIR")
def read_images(path: pathlib.Path, *, prepare: Preparation, verbose: bool = True) -> Splits:
    """Returns the splits of a folder of pictures, as `zoo.data.load` tells.

    Warns of files that are no images, or broken ones, and are skipped.

    Raises:
      UsageError: for a folder that is missing, has no whole image, or some of several sizes.
    """
    if not path.is_dir():
        raise UsageError(f"data: there is no folder {str(path)!r}.")
    files = _files_by_split(path)
    number = sum(map(len, files.values()))
    bar = keras.utils.Progbar(number, verbose=verbosity(verbose), unit_name="image")
    images, folders, broken = {name: [] for name in files}, {name: [] for name in files}, {}
    first = None  # height and width, which all have
    for split, named in files.items():
        for name, folder in named:
            bar.add(1)
            try:
                picture = read_picture(path / name)
            except Exception as error:  # a broken file can make Pillow raise anything
                broken[name] = error
                continue
            image = prepare(picture).numpy()
            first = first or image.shape
            if image.shape[:2] != first[:2]:
                raise _of_several_sizes(path, first, image.shape)
            images[split].append(image)
            folders[split].append(folder)
        if not images[split]:
            name = named[0][0]
            raise UsageError(
                f"data: {split} of {str(path)!r} holds no whole image; {name!r} is none: "
                f"{broken[name]}."
            )
    if broken:
        logging.warning(
            "data: skipped %d of %d pictures of %r, which are not whole: %s%s",
            len(broken),
            number,
            str(path),
            "; ".join(f"{name!r} ({error})" for name, error in list(broken.items())[:3]),
            "; and others." if len(broken) > 3 else ".",
        )
    splits = {split: {"x": x} for split, x in zip(images, _alike(images.values()), strict=True)}
    if len(set().union(*folders.values())) > 1:
        for split in splits:
            splits[split]["y"] = np.array(folders[split])
    return splits


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


def _files_by_split(path) -> dict[str, list[tuple[str, str]]]:
    """Names of image files below a folder, each with the folder that is its class, by split."""
    found = sorted(f.name for f in path.iterdir() if f.is_dir() and not _is_nobodys(f.name))
    split_by_folder = {name: split_of(name) for name in found if split_of(name)}
    splits = set(split_by_folder.values())
    if split_by_folder and (len(split_by_folder) < len(found) or "train" not in splits):
        raise UsageError(
            f"data: {str(path)!r} must have the folders train and test, and no other beside them "
            f"but validation, or none of these; it has {', '.join(found)}."
        )
    if len(splits) < len(split_by_folder):
        raise UsageError(
            f"data: {str(path)!r} must have one folder for each split; it has {', '.join(found)}."
        )
    files, skipped = {}, collections.Counter()

    @functools.cache
    def places(folder):  # where a folder and those above it really are
        above = places(os.path.dirname(folder)) if folder else ()
        return (*above, os.path.realpath(path / folder))

    def is_inside_itself(name):  # by a link
        found = places(os.path.dirname(name))
        return len(set(found)) < len(found)

    # Not Path.rglob, which passes links to folders by.
    for name in sorted(glob.iglob("**/*", root_dir=path, recursive=True)):
        top, _, below = name.replace(os.sep, "/").partition("/")
        split, inner = (split_by_folder.get(top), below) if split_by_folder else ("train", name)
        ending = os.path.splitext(name)[1].lower()
        if any(map(_is_nobodys, pathlib.PurePath(name).parts)) or is_inside_itself(name):
            continue
        if os.path.exists(path / name) and not os.path.isfile(path / name):
            continue  # a folder, or a pipe, which would never end
        if split and ending in IMAGE_FILES:
            files.setdefault(split, []).append((name, os.path.dirname(inner)))
        else:
            where = " beside the splits" if ending in IMAGE_FILES else ""
            skipped[(ending or "without an ending") + where] += 1
    told = ", ".join(f"{k} {n}" for k, n in sorted(skipped.items(), key=lambda kn: (-kn[1], kn[0])))
    for split in splits or {"train"}:
        if split not in files:
            raise UsageError(
                f"data: {split} of {str(path)!r} must hold image files "
                f"({', '.join(IMAGE_FILES)}); it has {told or 'none'}."
            )
    if skipped:
        logging.warning(
            "data: skipped files of %r that are no images of a kind that is read: %s.",
            str(path),
            told,
        )
    return files


def _is_nobodys(name):
    return name in _NOBODYS or name.startswith(".")


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
