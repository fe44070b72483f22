"""What all sources share: images prepared one by one, and splits of them."""

import dataclasses
import re
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_count, check_flag
from zoo.core.fields import Field, PixelField
from zoo.core.labels import LabelField
from zoo.core.progress import verbosity

SPLITS = ("train", "validation", "test")
_CHANNELS = (1, 3)  # grey, or RGB
Split = dict[str, np.ndarray]  # by field; first axis the examples
Splits = dict[str, Split]  # by the name of the split


def split_of(name: str) -> str | None:
    """Returns the split that people mean by such a name, in any capitals; None if they mean none.

    Args:
      name: such as "train", "Training", "val" or "TEST".
    """
    return _SPOKEN.get(name.lower())


_SPOKEN = {name: name for name in SPLITS} | {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
}


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What is done to an image before it is kept.

    Attributes:
      size: height and width to resize to, as `image_size` takes them; None for none.
      crop: whether the middle in the shape of `size` is cut out first; else all is squeezed in.
      channels: 1 reduces colours to grey, 3 repeats grey; None keeps what there is.
      grey: the same as 1 channel.
      invert: whether black and white are exchanged.

    Raises:
      UsageError: for another size or number of channels.
    """

    size: int | str | Sequence[int] | None = None
    crop: bool = True
    channels: int | None = None
    grey: bool = False
    invert: bool = False

    def __post_init__(self):
        check_flag(crop=self.crop, grey=self.grey, invert=self.invert)
        if self.channels not in (None, *_CHANNELS) or isinstance(self.channels, bool):
            raise UsageError(f"channels must be 1, 3 or left out; it was {self.channels!r}.")
        if self.grey and self.channels == 3:
            raise UsageError("channels must be 1 or left out with grey; it was 3.")
        object.__setattr__(self, "size", image_size(self.size))
        object.__setattr__(self, "channels", 1 if self.grey else self.channels)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Prepares an image.

        Args:
          image: [height, width, channels], of any size: integers up to the largest of their type,
            or floats in [0, 1].

        Returns:
          Bytes if it was of bytes, and else floats in [0, 1].
        """
        image = tf.convert_to_tensor(image)
        top = float(image.dtype.max) if image.dtype.is_integer else 1.0
        is_bytes = image.dtype == tf.uint8
        image = tf.cast(image, tf.float32)
        if self.channels == 1 and image.shape[-1] == 3:
            image = keras.ops.image.rgb_to_grayscale(image)
        if self.channels == 3 and image.shape[-1] == 1:
            image = tf.repeat(image, 3, axis=-1)
        if self.size is not None:
            image = keras.ops.image.resize(
                image, self.size, antialias=True, crop_to_aspect_ratio=self.crop
            )
            image = tf.clip_by_value(image, 0.0, top)  # rounding can leave the range
        image = top - image if self.invert else image
        if is_bytes:
            return tf.cast(tf.round(image), tf.uint8)
        return image / top


_LARGEST_SIDE = 2**14  # pixels; one such image takes a gigabyte


def image_size(size: int | str | Sequence[int] | None) -> tuple[int, int] | None:
    """Reads a height and a width.

    Args:
      size: one number for both, two, or a text such as "32" or "32x48", height first.

    Returns:
      Height and width; None for None.

    Raises:
      UsageError: for anything else.
    """
    if size is None:
        return None
    sides = size
    if isinstance(size, str):
        sides = [int(n) for n in size.lower().split("x") if re.fullmatch(r"\s*[0-9]+\s*", n)]
        if len(sides) != size.lower().count("x") + 1:
            sides = []
    if not isinstance(sides, list | tuple):
        sides = [sides]
    if len(sides) not in (1, 2) or (len(sides) == 1 and isinstance(size, list | tuple)):
        raise UsageError(
            f"size must be a whole number, or height and width such as '32x48'; it was {size!r}."
        )
    for side in sides:
        check_count(size=side)
        if side > _LARGEST_SIDE:
            raise UsageError(f"size must be at most {_LARGEST_SIDE}; it was {size!r}.")
    return int(sides[0]), int(sides[-1])


def numbered(splits: Splits) -> tuple[Splits, tuple[str, ...]]:
    """Numbers classes that are given by their names, in the order of these.

    Args:
      splits: whose labels `y`, where there are any, may be texts.

    Returns:
      Splits with integer labels, -1 in those without any, and the names of the classes; () where
      they were numbers.

    Raises:
      UsageError: for names in some splits and numbers in others.
    """
    labels = {k: a["y"] for k, a in splits.items() if "y" in a}
    names = {k: y.astype(str) for k, y in labels.items() if y.dtype.kind in "US"}
    if 0 < len(names) < len(labels):
        raise UsageError(
            f"data: y must hold names in all splits or in none; they are in {', '.join(names)}."
        )
    if labels:
        splits = {k: {"y": np.full(len(a["x"]), -1)} | a for k, a in splits.items()}
    if not names:
        return splits, ()
    classes, numbers = np.unique(np.concatenate(list(names.values())), return_inverse=True)
    parts = np.split(numbers.astype(np.int32), np.cumsum([len(y) for y in names.values()])[:-1])
    labelled = {k: splits[k] | {"y": y} for k, y in zip(names, parts, strict=True)}
    return splits | labelled, tuple(map(str, classes))


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
    """Returns the fields of images `x` and, where there are any, labels `y`.

    Raises:
      UsageError: for images of other channels than grey or RGB, of which pictures are drawn, or
        labels that no int32 can hold.
    """
    shape = splits["train"]["x"].shape
    if len(shape) == 4 and shape[-1] not in _CHANNELS:
        raise UsageError(
            f"data: x must hold images of 1 or 3 channels, [N, height, width, 1 or 3]; it was "
            f"{list(shape)}."
        )
    return {"x": PixelField(shape[1:])} | label_fields(splits)


def label_fields(splits: Splits) -> dict[str, Field]:
    """Returns the field of labels `y`; none where there are no labels.

    Raises:
      UsageError: for labels that no int32 can hold.
    """
    labels = [arrays["y"] for arrays in splits.values() if "y" in arrays]
    # Other types than integers are told by the check of the field.
    classes = [int(y.max()) for y in labels if y.size and y.dtype.kind in "iu"]
    if max(classes, default=0) >= 2**31 - 1:
        raise UsageError(f"data: y must hold labels below {2**31 - 1}; it holds {max(classes)}.")
    if labels and max(classes, default=0) >= 0:
        return {"y": LabelField(num_classes=max(classes, default=0) + 1)}
    return {}


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
