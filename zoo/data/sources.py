"""Where images come from, and which of their pixels are shown."""

import dataclasses

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from zoo.checks import UsageError, check_choice, check_count, check_images
from zoo.data.pipeline import pipeline


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


def load(source: str = "digits", *, batch_size: int = 50, seed: int = 0) -> Data:
    """Loads a data set.

    Args:
      source: "digits", scikit-learn's 1,797 handwritten digits of 8 by 8 pixels.
      batch_size: examples in a batch.
      seed: of the order of training batches. The splits do not depend on it.

    Raises:
      UsageError: for an unknown source, or a batch that is not positive or larger than the data.
    """
    check_count(batch_size=batch_size)
    splits = SOURCES[check_choice("data", source, SOURCES)]()
    train = splits["train"]["x"]
    if batch_size > len(train):
        raise UsageError(f"batch_size must be at most {len(train)}; it was {batch_size}.")
    for name, arrays in splits.items():
        check_images(arrays["x"], train.shape[1:], f"{source} {name}")
    return Data(
        train=pipeline(splits["train"], batch_size, seed=seed, drop_remainder=True),
        validation=pipeline(splits["validation"], batch_size),
        test=pipeline(splits["test"], batch_size),
        shape=train.shape[1:],
        num_classes=int(splits["train"]["y"].max()) + 1,
        num_examples={name: len(arrays["x"]) for name, arrays in splits.items()},
    )


def _digits() -> dict[str, dict[str, np.ndarray]]:
    digits = load_digits()
    x = (digits.images / 16)[..., None].astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    test, validation, train = np.split(order, [300, 500])
    return {
        name: {"x": x[index], "y": digits.target[index].astype(np.int32)}
        for name, index in {"train": train, "validation": validation, "test": test}.items()
    }


SOURCES = {"digits": _digits}


MASKS = ("left", "right", "top", "bottom", "box", "random")


def mask(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A mask of visible pixels, bool, `shape` (height, width, channels); False = hidden.

    Args:
      name: what is hidden: the "left", "right", "top" or "bottom" half, a "box" of half the side
        in the middle, or half of the pixels at "random".
      shape: of one image.
      seed: of the random mask.
    """
    check_choice("mask", name, MASKS)
    height, width = shape[:2]
    rows, columns = np.mgrid[:height, :width]
    inside = (abs(2 * rows + 1 - height) <= height / 2) & (
        abs(2 * columns + 1 - width) <= width / 2
    )
    hidden = {
        "left": columns < width // 2,
        "right": columns >= width - width // 2,
        "top": rows < height // 2,
        "bottom": rows >= height - height // 2,
        "box": inside,
        "random": np.random.default_rng(seed).random((height, width)) < 0.5,
    }[name]
    return np.broadcast_to(~hidden[..., None], shape).copy()
