"""Where images come from: `load` turns a source into pipelines and the facts a model needs."""

import dataclasses
import functools
import pathlib

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from zoo.core.checks import UsageError, check_count
from zoo.core.pipeline import pipeline
from zoo.data.files import read_images, read_npz
from zoo.data.image_sets import read_tfds
from zoo.data.splits import Prepare, Split, check_split, collected, held_out, preparation


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

    @functools.cached_property
    def mean_image(self) -> np.ndarray:
        """The mean of the training images, [...event], over the batches of one epoch."""
        return np.mean([batch["x"].numpy().mean(0) for batch in self.train], axis=0)


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
    splits = _read(source, data_dir, preparation(size, grey, invert), verbose)
    for name, arrays in splits.items():
        check_split(f"{source} {name}", arrays, splits["train"]["x"].shape[1:])
    splits = splits if "validation" in splits else held_out(splits, "validation")
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


def _read(source, data_dir, prepare: Prepare, verbose: bool) -> dict[str, Split]:
    kind, _, path = str(source).partition(":")
    path = pathlib.Path(path).expanduser()
    if source == "digits":
        return _digits(prepare)
    if kind == "npz":
        return read_npz(path, prepare)
    if kind == "images":
        return read_images(path, prepare, verbose)
    return read_tfds(source, data_dir, prepare, verbose)


def _digits(prepare) -> dict[str, Split]:
    digits = load_digits()
    x = tf.data.Dataset.from_tensor_slices((digits.images / 16)[..., None].astype(np.float32))
    x = collected(x.map(prepare))
    order = np.random.default_rng(0).permutation(len(x))
    test, validation, train = np.split(order, [300, 500])
    return {
        name: {"x": x[index], "y": digits.target[index].astype(np.int32)}
        for name, index in {"train": train, "validation": validation, "test": test}.items()
    }
