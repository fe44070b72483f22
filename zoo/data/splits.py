"""What all sources share: images prepared one by one, and splits of them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_images

SPLITS = ("train", "validation", "test")
Split = dict[str, np.ndarray]  # "x", and "y" where known; first axis the examples
Prepare = Callable[[tf.Tensor], tf.Tensor]


def preparation(size: int | None, grey: bool, invert: bool) -> Prepare:
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


def collected(examples: tf.data.Dataset, size: int | None = None):
    """All elements of a data set, stacked; with a progress bar if their number is given."""
    bar = keras.utils.Progbar(size, verbose=int(size is not None), unit_name="image")
    batches = []
    for batch in examples.batch(1024).as_numpy_iterator():
        batches.append(batch)
        bar.add(len(tf.nest.flatten(batch)[0]))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)


def held_out(splits: dict[str, Split], name: str) -> dict[str, Split]:
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


def check_split(name: str, arrays: Split, shape: tuple[int, ...]) -> None:
    """Refuses images that are not of `shape` in [0, 1], and classes that are not from 0 on."""
    x, y = arrays["x"], arrays.get("y")
    if x.dtype != np.uint8 or x.shape[1:] != shape:
        check_images(x, shape, f"data: {name}")
    if y is not None and (y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0):
        raise UsageError(
            f"data: y of {name} must be classes from 0 on, [{len(x)}]; "
            f"it was {list(y.shape)} of {y.dtype}."
        )
