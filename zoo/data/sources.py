"""Where images come from: `load` turns a source into pipelines and the facts a model needs."""

import dataclasses
import glob
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
) -> Data:
    """Loads a data set into memory, as bytes where it comes as bytes.

    Sources:
      "digits": scikit-learn's 1,797 handwritten digits of 8 by 8 pixels.
      "npz:PATH": arrays `x_train`, `x_test` and maybe `y_train`, `y_test`, `x_validation`,
        `y_validation`: bytes, or floats in [0, 1]; [N, height, width] or with channels.
      "images:DIR": PNG, JPEG, GIF or BMP files in folders below DIR, one folder a class. Where DIR
        has folders `train` and `test`, these are the splits (and maybe `validation`); else a tenth
        of the files, always the same, is for testing.
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

    Raises:
      UsageError: for an unknown or broken source, or a batch that is larger than the data.
    """
    check_count(batch_size=batch_size, **({} if size is None else {"size": size}))
    splits = _read(source, data_dir, _preparation(size, grey, invert))
    for name, arrays in splits.items():
        _check_split(f"{source} {name}", arrays, splits["train"]["x"].shape[1:])
    splits = splits if "validation" in splits else _kept_out(splits, "validation")
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


def _read(source: str, data_dir: str | None, prepare: Callable) -> dict[str, Split]:
    kind, _, path = str(source).partition(":")
    if source == "digits":
        return _digits(prepare)
    if kind in ("npz", "images"):
        return {"npz": _npz, "images": _images}[kind](pathlib.Path(path).expanduser(), prepare)
    return _tfds(source, data_dir, prepare)


def _preparation(size, grey, invert):
    """A function that prepares one image [height, width, channels], of any size."""

    def prepare(image):
        dtype = image.dtype
        image = tf.cast(image, tf.float32)
        if grey and image.shape[-1] == 3:
            image = keras.ops.image.rgb_to_grayscale(image)
        if size is not None:
            image = keras.ops.image.resize(
                image, (size, size), antialias=True, crop_to_aspect_ratio=True
            )
        top = 255.0 if dtype == tf.uint8 else 1.0
        image = tf.clip_by_value(top - image if invert else image, 0.0, top)
        return tf.cast(tf.round(image), dtype) if dtype == tf.uint8 else image

    return prepare


def _collected(examples: tf.data.Dataset):
    """All elements of a data set, stacked."""
    batches = list(examples.batch(1024).as_numpy_iterator())
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
    splits = {}
    for name in ("train", "validation", "test"):
        if (x := arrays.get(f"x_{name}")) is None:
            continue
        x = _bytes_or_floats(x, f"data: x_{name} of {str(path)!r}")
        x = _collected(tf.data.Dataset.from_tensor_slices(x).map(prepare))
        splits[name] = {"x": x}
        if (y := arrays.get(f"y_{name}")) is not None:
            splits[name]["y"] = y.astype(np.int32) if y.dtype.kind in "iu" else y
    return splits


def _bytes_or_floats(x, name):
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or len(x) == 0 or x.dtype.kind not in "fiub":
        raise UsageError(
            f"{name} must hold numbers [N, height, width] or [N, height, width, channels]; "
            f"it was {list(x.shape)} of {x.dtype}."
        )
    if x.dtype.kind in "iu" and x.min() >= 0 and x.max() <= 255:
        return x.astype(np.uint8)
    return check_images(x, x.shape[1:], name)


_IMAGE_FILES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")


def _images(path, prepare) -> dict[str, Split]:
    if not path.is_dir():
        raise UsageError(f"data: there is no folder {str(path)!r}.")
    named = (path / "train").is_dir() and (path / "test").is_dir()
    folders = {n: path / n for n in ("train", "validation", "test")} if named else {"train": path}
    files = {
        name: [folder / file for file in sorted(_image_files(folder))]
        for name, folder in folders.items()
        if folder.is_dir()
    }
    for name, found in files.items():
        if not found:
            raise UsageError(
                f"data: {str(folders[name])!r} must hold image files ({', '.join(_IMAGE_FILES)})."
            )
    classes = sorted({file.parent.name for found in files.values() for file in found})
    opened = {name: [_opened(file, prepare) for file in found] for name, found in files.items()}
    shapes = {image.shape for images in opened.values() for image in images}
    if len(shapes) > 1:
        raise UsageError(
            f"data: the images of {str(path)!r} must have one shape, or size and grey must make "
            f"them so; they were {' and '.join(str(s) for s in sorted(shapes)[:2])}, for instance."
        )
    splits = {name: {"x": np.stack(images)} for name, images in opened.items()}
    if len(classes) > 1:
        for name, found in files.items():
            labels = [classes.index(file.parent.name) for file in found]
            splits[name]["y"] = np.array(labels, np.int32)
    return splits if named else _kept_out(splits, "test")


def _image_files(folder):
    # Not Path.rglob, which passes links to folders by.
    files = glob.iglob("**/*", root_dir=folder, recursive=True)
    return (file for file in files if file.lower().endswith(_IMAGE_FILES))


def _opened(file, prepare):
    try:
        with Image.open(file) as image:
            mode = "L" if image.mode in ("1", "L", "LA", "I", "I;16", "F") else "RGB"
            pixels = np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"data: {str(file)!r} is not a whole image: {error}.") from None
    return prepare(pixels.reshape(*pixels.shape[:2], -1)).numpy()


def _tfds(name, data_dir, prepare) -> dict[str, Split]:
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
    if "image" not in (builder.info.features or {}):
        raise UsageError(f"data: TFDS's {name!r} is not a set of images.")
    try:
        builder.download_and_prepare()
        found = [s for s in ("train", "validation", "test") if s in builder.info.splits]
        if "train" not in found:
            raise UsageError(f"data: TFDS's {name!r} has no training split.")
        splits = {split: _tfds_split(builder, split, prepare) for split in found}
    except UsageError:
        raise
    except (tf.errors.OpError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"data: TFDS's {name!r} could not be read from data_dir={data_dir!r} "
            f"nor downloaded: {reason}"
        ) from error
    return splits if "test" in splits else _kept_out(splits, "test")


def _tfds_split(builder, split, prepare) -> Split:
    features = builder.info.features
    labelled = "label" in features and features["label"].shape == ()

    def used(example):
        y = {"y": tf.cast(example["label"], tf.int32)} if labelled else {}
        return {"x": prepare(example["image"])} | y

    return _collected(builder.as_dataset(split=split).map(used, tf.data.AUTOTUNE))


def _kept_out(splits, name):
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
