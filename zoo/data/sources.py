"""Where images come from: `load` turns a source into pipelines and the facts a model needs."""

import dataclasses
import glob
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

from zoo.checks import UsageError, check_count, check_images, unknown_choice
from zoo.data.pipeline import pipeline

_SPLITS = ("train", "validation", "test")
Split = dict[str, np.ndarray]  # "x", and "y" where known; first axis the examples


@dataclasses.dataclass(frozen=True)
class Data:
    """Pipelines of a data set and what a model must know of it.

    Batches are dictionaries: `x`, grey levels in [0, 1]; `index`, the example's number in its
    split; `y`, its class, where known. Training batches are shuffled and always full.

    Attributes:
      train: pipeline of the training split.
      validation: of the validation split, for choosing.
      test: of the test split, for reporting.
      shape: of one image, (height, width, channels).
      num_classes: of `y`; 0 without.
      num_examples: number of examples of each split, by name.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset
    shape: tuple[int, ...]
    num_classes: int
    num_examples: dict[str, int]


def load(
    source: str = "digits",
    *,
    batch_size: int = 50,
    seed: int = 0,
    data_dir: str | None = None,
    size: int | None = None,
    grey: bool = False,
    invert: bool = False,
    verbose: bool = True,
) -> Data:
    """Loads a data set into memory, as bytes where it comes as bytes.

    Sources:
      "digits": scikit-learn's 1,797 handwritten digits of 8 by 8 pixels.
      "npz:PATH": arrays `x_train`, `x_test` and maybe `y_train`, `y_test`, `x_validation`,
        `y_validation`: bytes, or floats in [0, 1]; [N, height, width] or with channels.
      "images:DIR": PNG, JPEG, GIF or BMP files in folders below DIR, each folder a class. Where DIR
        has folders `train` and `test`, these are the splits (and maybe `validation`); else a tenth
        of the files, always the same, is for testing. What is transparent is white.
      any other: the name of a TensorFlow Datasets (TFDS) image set, such as "mnist".

    Where a source has no validation split, a tenth of its training examples, always the same, is
    kept out for it.

    Args:
      source: one of the above.
      batch_size: examples in a batch.
      seed: of the order of training batches. The splits do not depend on it.
      data_dir: where TFDS keeps prepared data; its own default if None.
      size: height and width to resize images to, after cutting out the middle square.
      grey: reduce colours to grey.
      invert: exchange black and white, for ink on paper.
      verbose: whether to show a progress bar for files and TFDS.

    Raises:
      UsageError: for an unknown or broken source, or a batch that is larger than the data.
    """
    check_count(batch_size=batch_size, **({} if size is None else {"size": size}))
    splits = _read(source, data_dir, _preparation(size, grey, invert), verbose)
    for name, arrays in splits.items():
        _check_split(f"{source} {name}", arrays, splits["train"]["x"].shape[1:])
    splits = splits if "validation" in splits else _held_out(splits, "validation")
    train = splits["train"]["x"]
    if batch_size > len(train):
        raise UsageError(f"batch_size must be at most {len(train)}; it was {batch_size}.")
    labels = [arrays["y"].max() for arrays in splits.values() if "y" in arrays]
    return Data(
        train=pipeline(splits["train"], batch_size, seed=seed, drop_remainder=True),
        validation=pipeline(splits["validation"], batch_size),
        test=pipeline(splits["test"], batch_size),
        shape=train.shape[1:],
        num_classes=int(max(labels)) + 1 if labels else 0,
        num_examples={name: len(arrays["x"]) for name, arrays in splits.items()},
    )


def _read(source, data_dir, prepare: Callable, verbose: bool) -> dict[str, Split]:
    kind, _, path = str(source).partition(":")
    path = pathlib.Path(path).expanduser()
    if source == "digits":
        return _digits(prepare)
    if kind == "npz":
        return _npz(path, prepare)
    if kind == "images":
        return _images(path, prepare, verbose)
    return _tfds(source, data_dir, prepare, verbose)


def _preparation(size, grey, invert):
    """A function that prepares one image [height, width, channels], of any size."""

    def prepare(image):
        image = tf.convert_to_tensor(image)
        top = float(image.dtype.max) if image.dtype.is_integer else 1.0
        is_bytes = image.dtype == tf.uint8
        image = tf.cast(image, tf.float32)
        if grey and image.shape[-1] == 3:
            image = keras.ops.image.rgb_to_grayscale(image)
        if size is not None:
            image = keras.ops.image.resize(
                image, (size, size), antialias=True, crop_to_aspect_ratio=True
            )
            image = tf.clip_by_value(image, 0.0, top)  # rounding can leave the range
        image = top - image if invert else image
        if is_bytes:
            return tf.cast(tf.round(image), tf.uint8)
        return image / top

    return prepare


def _collected(examples: tf.data.Dataset, size: int | None = None):
    """All elements of a data set, stacked; with a progress bar if their number is given."""
    bar = keras.utils.Progbar(size, verbose=int(size is not None), unit_name="image")
    batches = []
    for batch in examples.batch(1024).as_numpy_iterator():
        batches.append(batch)
        bar.add(len(tf.nest.flatten(batch)[0]))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)


def _digits(prepare) -> dict[str, Split]:
    digits = load_digits()
    x = tf.data.Dataset.from_tensor_slices((digits.images / 16)[..., None].astype(np.float32))
    x = _collected(x.map(prepare))
    order = np.random.default_rng(0).permutation(len(x))
    test, validation, train = np.split(order, [300, 500])
    return {
        name: {"x": x[index], "y": digits.target[index].astype(np.int32)}
        for name, index in {"train": train, "validation": validation, "test": test}.items()
    }


def _npz(path, prepare) -> dict[str, Split]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except OSError as error:
        raise UsageError(f"data: cannot read {str(path)!r}: {error.strerror or error}.") from None
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"data: {str(path)!r} is not a whole npz file: {error}.") from None
    if missing := {"x_train", "x_test"} - set(arrays):
        raise UsageError(
            f"data: {str(path)!r} must hold x_train and x_test; it lacks {sorted(missing)}."
        )
    names = [name for name in _SPLITS if f"x_{name}" in arrays]
    images = [arrays[f"x_{name}"] for name in names]
    largest = max((x.max() for x in images if x.size and x.dtype.kind in "iu"), default=0)
    splits = {}
    for name, x in zip(names, images, strict=True):
        x = _bytes_or_floats(x, largest, f"data: x_{name} of {str(path)!r}")
        splits[name] = {"x": _collected(tf.data.Dataset.from_tensor_slices(x).map(prepare))}
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


def _images(path, prepare, verbose) -> dict[str, Split]:
    if not path.is_dir():
        raise UsageError(f"data: there is no folder {str(path)!r}.")
    found = {folder.name for folder in path.iterdir() if folder.is_dir()}
    named = [name for name in _SPLITS if name in found]
    if named and not {"train", "test"} <= found <= set(_SPLITS):
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
    return splits if named else _held_out(splits, "test")


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


def _tfds(name, data_dir, prepare, verbose) -> dict[str, Split]:
    import tensorflow_datasets as tfds  # its import takes a while, and few sources need it

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise unknown_choice(
            "data",
            name,
            ["digits", *tfds.list_builders(with_community_datasets=False)],
            "it may be 'digits', 'npz:PATH', 'images:DIR' or the name of a TFDS image set.",
        ) from error
    features = builder.info.features or {}
    if "image" not in features:
        raise UsageError(f"data: TFDS's {name!r} is not a set of images.")
    try:
        builder.download_and_prepare()
        found = [split for split in _SPLITS if split in builder.info.splits]
        if "train" not in found:
            raise UsageError(f"data: TFDS's {name!r} has no training split.")
        splits = {split: _tfds_split(builder, split, prepare, verbose) for split in found}
    except UsageError:
        raise
    except (tf.errors.OpError, OSError, ValueError, AssertionError) as error:
        if "Cannot add tensor to the batch" in str(error):
            raise UsageError(
                f"data: the images of TFDS's {name!r} are of several sizes; give size."
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"data: TFDS's {name!r} could not be read from data_dir={data_dir!r} "
            f"nor downloaded: {reason}"
        ) from error
    return splits if "test" in splits else _held_out(splits, "test")


def _tfds_split(builder, split, prepare, verbose) -> Split:
    features = builder.info.features
    labelled = "label" in features and features["label"].shape == ()

    def used(example):
        y = {"y": tf.cast(example["label"], tf.int32)} if labelled else {}
        return {"x": prepare(example["image"])} | y

    size = builder.info.splits[split].num_examples if verbose else None
    return _collected(builder.as_dataset(split=split).map(used, tf.data.AUTOTUNE), size)


def _held_out(splits, name):
    """Moves a tenth of the training examples, always the same, into a split of that name."""
    size = len(splits["train"]["x"])
    if size < 2:
        raise UsageError(f"data: {size} training example is too few to keep some for {name}.")
    kept, rest = np.split(np.random.default_rng(0).permutation(size), [-(-size // 10)])
    parts = {"train": np.sort(rest), name: np.sort(kept)}
    return splits | {
        part: {key: array[index] for key, array in splits["train"].items()}
        for part, index in parts.items()
    }


def _check_split(name, arrays, shape):
    x, y = arrays["x"], arrays.get("y")
    if x.dtype != np.uint8 or x.shape[1:] != shape:
        check_images(x, shape, f"data: {name}")
    if y is not None and (y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0):
        raise UsageError(
            f"data: y of {name} must be classes from 0 on, [{len(x)}]; "
            f"it was {list(y.shape)} of {y.dtype}."
        )
