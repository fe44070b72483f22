"""Data sets: `load` turns a source into pipelines and the facts that a model needs."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from zoo.core.checks import UsageError, check_count, check_count_or_0
from zoo.core.fields import Field, IndexField
from zoo.core.labels import label_counts
from zoo.core.pipeline import pipeline
from zoo.data.labels import few_labels
from zoo.data.registry import levels_of, read_source
from zoo.data.splits import checked, held_out


@dataclasses.dataclass(frozen=True)
class Data:
    """Pipelines of a data set and what a model must know of it.

    Batches are dictionaries of the fields. Training batches are shuffled and always full.

    Attributes:
      train: pipeline of the training split.
      validation: of the validation split, for choosing.
      test: of the test split, for reporting.
      fields: of the batches, by name: of images `x`, pixels in [0, 1], and, where there are any,
        labels `y`, -1 of what is not labelled. Batches also have `index`, the example's number in
        its split, whose field is that of the training split. Of sequences `x` is [T, D], and
        `length` says how many steps an example has, behind which it is 0.
      num_examples: number of examples of each split, by name.
      levels: grey levels that a pixel can have, in the source.
      label_counts: how many training examples have the label of each class; () without labels.
      sequences: the arrays of all training sequences, by field, as they are kept; None of others.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset
    fields: dict[str, Field]
    num_examples: dict[str, int]
    levels: int = 256
    label_counts: tuple[int, ...] = ()
    sequences: dict[str, np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one `x`; of images (height, width, channels)."""
        return self.fields["x"].shape

    @property
    def num_classes(self) -> int:
        """The number of classes of `y`; 0 without."""
        return self.fields["y"].num_classes if "y" in self.fields else 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, by their numbers in `y`; () where these are all there is."""
        return self.fields["y"].class_names if "y" in self.fields else ()

    @property
    def label_share(self) -> float:
        """The share of the training examples that have a label."""
        return sum(self.label_counts) / self.num_examples["train"] if self.label_counts else 0.0

    @functools.cached_property
    def mean_image(self) -> np.ndarray:
        """The mean of the training images, [...event], over the batches of one epoch.

        Raises:
          UsageError: where there is no end of them, or nothing but their shape is known.
        """
        self._check_readable("images", "mean is")
        return np.mean([batch["x"].numpy().mean(0) for batch in self.train], axis=0)

    @functools.cached_property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """The means [D] and standard deviations [D] of training sequences, in float64.

        They are over all steps within the lengths, of what is only known as a pipeline over one
        epoch. What is the same in all steps, such as an edge of images, has a standard deviation of
        about 0.

        Raises:
          UsageError: where there is no end of them, or nothing but their shape is known.
        """
        self._check_readable("sequences", "moments are")
        time, decode = np.arange(self.shape[0]), self.fields["x"].decode
        batches = self.train if self.sequences is None else [self.sequences]
        steps = np.concatenate(
            [
                np.asarray(decode(tf.constant(batch["x"])))[
                    time < np.asarray(batch["length"])[:, None]
                ]
                for batch in batches
            ]
        )
        return steps.mean(0, dtype=np.float64), steps.std(0, dtype=np.float64)

    def _check_readable(self, noun, needed):
        """Refuses data of which no mean can be taken."""
        if self.train is None:
            raise UsageError(
                f"data must hold {noun}, and not their shape alone: the {needed} needed."
            )
        if self.train.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise UsageError(
                f"data must have an end, since their {needed} needed; give data.take(n)."
            )


_MOST_CLASSES = 2**20  # more are numbers of something else


def load(
    source: str = "digits",
    *,
    batch_size: int = 50,
    seed: int = 0,
    data_dir: str | None = None,
    size: int | str | Sequence[int] | None = None,
    crop: bool = True,
    channels: int | None = None,
    grey: bool = False,
    invert: bool = False,
    num_labels: int = 0,
    verbose: bool = True,
    **options,
) -> Data:
    """Loads a data set into memory, as bytes where it comes as bytes.

    Sources:
      "digits": scikit-learn's 1,797 handwritten digits of 8 by 8 pixels.
      "npz:PATH": arrays `x_train` and maybe `y_train`, `x_test` and so on, or by other names that
        people use: images as bytes, or floats in [0, 1]; [N, height, width], or with channels,
        which may come first; labels as integers, -1 of what is not labelled, or as texts.
      "images:DIR": picture files in folders below DIR, each folder a class. Where DIR has folders
        `train` and `test`, these are the splits (and maybe `validation`); else a tenth of the
        files, always the same, is for testing. What is transparent is white. Broken files are
        skipped, and told.
      "digit_rows": the digits as sequences of their rows.
      "strokes:PATH": pen strokes in an npz file: `points` [total, 3] of all sequences, one after
        another: dx, dy and pen up, 1 where the pen is lifted behind the offset; `lengths` [N],
        and maybe `labels`, integers or texts, and `is_test`. It takes `max_length`.
      "audio:DIR": WAV files in folders, as of images, cut into frames. It takes `rate`, to which
        recordings are resampled, `frame`, in samples, and `max_length`, in frames.
      "cluttered:SOURCE": images of another source, each at a random place among pieces of others.
      "tfds:NAME": an image set of TensorFlow Datasets (TFDS), such as "mnist".
      any other: as "tfds:" and that.

    `zoo.data.register_source` adds others. Where a source has no validation split, a tenth of its
    training examples, always the same, is kept out for it.

    Args:
      source: one of the above.
      batch_size: examples in a batch; all training examples, and a warning, where there are fewer.
      seed: of the order of training batches, and of which labels are kept. The splits do not depend
        on it.
      data_dir: where TFDS keeps prepared data; its own default if None.
      size: height and width to resize images to: one number, two, or "32x48", height first.
      crop: cut out the middle in the shape of `size` first; else images are squeezed into it.
      channels: 1 reduces colours to grey, 3 repeats grey; None keeps what there is.
      grey: the same as `channels=1`.
      invert: exchange black and white, for ink on paper.
      num_labels: so many training examples keep their label, equally many of each class; the
        others are not labelled, -1; 0 keeps all.
      verbose: whether to show a progress bar for files and TFDS.
      **options: what only this source takes.

    Returns:
      The data, with the fields that models need.

    Raises:
      UsageError: for an unknown or broken source, or an argument that it does not take.
    """
    check_count(batch_size=batch_size)
    given = {"data_dir": data_dir, "size": size, "channels": channels}
    given |= {"crop": crop, "grey": grey, "invert": invert}
    # What is as if it were left out needs no source that takes it.
    defaults = {"crop": True, "grey": False, "invert": False}
    options |= {k: value for k, value in given.items() if value is not defaults.get(k)}
    splits, fields = read_source(str(source), verbose, options)
    splits = {name: checked(f"{source} {name}", arrays, fields) for name, arrays in splits.items()}
    for name in ("test", "validation"):
        if name not in splits:
            splits = held_out(splits, name)
    check_count_or_0(num_labels=num_labels)
    if num_labels:
        splits["train"] = few_labels(splits["train"], fields, num_labels, seed)
    num_examples = {name: len(arrays["x"]) for name, arrays in splits.items()}
    if batch_size > num_examples["train"]:
        logging.warning(
            "data: batches are of all %d training examples, since batch_size was %d.",
            num_examples["train"],
            batch_size,
        )
        batch_size = num_examples["train"]
    counts = ()
    if "y" in fields and fields["y"].num_classes < _MOST_CLASSES:
        counts = label_counts(splits["train"]["y"], fields["y"].num_classes)
    batches = functools.partial(pipeline, batch_size=batch_size, fields=fields)
    return Data(
        train=batches(splits["train"], seed=seed, drop_remainder=True),
        validation=batches(splits["validation"]),
        test=batches(splits["test"]),
        fields=fields | {"index": IndexField(num_examples=num_examples["train"])},
        num_examples=num_examples,
        levels=levels_of(str(source)),
        label_counts=counts,
        sequences=splits["train"] if "length" in fields else None,
    )
