"""What all sources share: images prepared one by one, and splits of them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_count
from zoo.core.fields import Field, LabelField, PixelField
from zoo.core.progress import verbosity

SPLITS = ("train", "validation", "test")
Split = dict[str, np.ndarray]  # by field; first axis the examples
Splits = dict[str, Split]  # by the name of the split
Prepare = Callable[[tf.Tensor], tf.Tensor]


def preparation(size: int | None, grey: bool, invert: bool) -> Prepare:
    """Makes a function that prepares one image [height, width, channels], of any size.

    Args:
      size: height and width to resize to, after cutting out the middle square; None for none.
      grey: whether to reduce colours to grey.
      invert: whether to exchange black and white.

    Returns:
      A function to bytes from bytes, and else to floats in [0, 1].

    Raises:
      UsageError: for a size that is no positive whole number.
    """
    if size is not None:
        check_count(size=size)

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
    """Returns all elements, stacked; shows a progress bar if their number is given."""
    bar = keras.utils.Progbar(size, verbose=verbosity(size is not None), unit_name="image")
    batches = []
    for batch in examples.batch(1024).as_numpy_iterator():
        batches.append(batch)
        bar.add(len(tf.nest.flatten(batch)[0]))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)


def held_out(splits: Splits, name: str) -> Splits:
    """Returns splits of which `name` has a tenth of the training examples, always the same.

    Raises:
      UsageError: for a single training example.
    """
    size = len(splits["train"]["x"])
    if size < 2:
        raise UsageError(f"data: {size} training example is too few to keep some for {name}.")
    kept, rest = np.split(np.random.default_rng(0).permutation(size), [-(-size // 10)])
    parts = {"train": np.sort(rest), name: np.sort(kept)}
    return splits | {
        part: {key: array[index] for key, array in splits["train"].items()}
        for part, index in parts.items()
    }


def image_fields(splits: Splits) -> dict[str, Field]:
    """Returns the fields of images `x` and, where there are any, labels `y`."""
    labels = [arrays["y"] for arrays in splits.values() if "y" in arrays]
    # Other types than integers are told by the check of the field.
    classes = [y.max(initial=-1) for y in labels if y.dtype.kind in "iu"]
    fields = {"x": PixelField(splits["train"]["x"].shape[1:])}
    if labels and max(classes, default=0) >= 0:
        fields["y"] = LabelField(num_classes=int(max(classes, default=0)) + 1)
    return fields


def checked(name: str, arrays: Split, fields: dict[str, Field]) -> Split:
    """Checks the arrays of a split.

    Args:
      name: of the split, which errors name.
      arrays: by field.
      fields: those that batches will hold, by name.

    Returns:
      The arrays of the fields alone.

    Raises:
      UsageError: for an array that is missing, of another length than `x`, or that its field does
        not allow.
    """
    size = len(arrays["x"])
    for key, field in fields.items():
        if key not in arrays:
            raise UsageError(f"data: {name} must have {key}; it has {', '.join(arrays)}.")
        values, what = arrays[key], f"data: {key} of {name}"
        if values.shape[:1] != (size,):
            raise UsageError(f"{what} must be as long as x, {size}; it was {list(values.shape)}.")
        field.check_type(what, values.dtype)
        # As batches will hold them, a piece at a time, since images may be kept as bytes.
        for start in range(0, max(size, 1), _PIECE):
            field.check(what, field.decode(values[start : start + _PIECE]))
    return {key: arrays[key] for key in fields}


_PIECE = 4096  # examples
