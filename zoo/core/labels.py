"""The field of labels, and what is made of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.fields import Field, as_array


@dataclasses.dataclass(frozen=True)
class LabelField(Field):
    """Integer labels; -1 means not labelled.

    Attributes:
      num_classes: all labels are below it.
      class_names: of the classes, by their numbers; () where they have none.
      taught: whether a model learns the classes, so that examples of all of them are needed.
      complete: whether every example must have its label.
      optional: whether the field may be left out, and nothing is labelled then.
    """

    dtype: str = "int32"
    num_classes: int = 0
    class_names: tuple[str, ...] = ()
    taught: bool = False
    complete: bool = False
    optional: bool = False

    @property
    def rule(self) -> str:
        """What labels may be."""
        unlabelled = "" if self.complete else ", or -1 for not labelled"
        return f"must hold labels from 0 to {self.num_classes - 1}{unlabelled}"

    def for_inference(self):
        if not self.taught:
            return self
        return dataclasses.replace(self, taught=False, complete=False, optional=True)

    def allows(self, values):
        lowest = 0 if self.complete else -1
        return tf.reduce_all((values >= lowest) & (values < self.num_classes))

    def check_shape(self, name, values):
        values = as_array(name, values)
        if self.batched and values.ndim == 2 and values.shape[1] == self.num_classes:
            raise UsageError(
                f"{name} must have the shape {self.shape_text}; it was {list(values.shape)}. Give "
                f"{name}.argmax(1) of one-hot rows."
            )
        return super().check_shape(name, values)

    def check_training(self, name, values):
        if self.taught:
            check_classes(name, label_counts(values, self.num_classes), self.class_names)

    def default(self, name, size):
        if not self.optional:
            return super().default(name, size)
        return np.full([size] if self.batched else [], -1, self.dtype)

    def example(self):
        return np.full([1] if self.batched else [], -1, self.dtype)


def label_counts(labels: np.ndarray, num_classes: int) -> tuple[int, ...]:
    """Counts the labels of each class, those that are -1 left out."""
    return tuple(np.bincount(labels[labels >= 0], minlength=num_classes).tolist())


def check_classes(name: str, counts: tuple[int, ...], class_names: tuple[str, ...] = ()) -> None:
    """Refuses labels of which a class has none.

    Args:
      name: of the labels, which errors name.
      counts: as `label_counts` returns them.
      class_names: of the classes; () where they have none.

    Raises:
      UsageError: naming the first such class.
    """
    for k, count in enumerate(counts):
        if not count:
            what = f"class {k}" + (f", {class_names[k]!r}," if class_names else "")
            found = f"{what} has none" if sum(counts) else "all were -1"
            raise UsageError(f"{name} must hold labels of every class; {found}.")


def labels(batch: dict) -> tf.Tensor:
    """The labels of a batch, [B]; -1 where it has none."""
    if "y" in batch:
        return batch["y"]
    return tf.fill([tf.shape(batch["x"])[0]], -1)


def every_class(y: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Each class for each of the labels y [B]: int [C, B]."""
    return tf.repeat(tf.range(num_classes)[:, None], tf.shape(y)[0], axis=1)
