"""The fields of a batch: each says its shape, its type, and what its values may be."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_images, check_shape, check_visible


@dataclasses.dataclass(frozen=True)
class Field:
    """One named entry of a batch, or one named input of an export.

    Attributes:
      shape: of one example.
      dtype: the name of its type.
      training_only: whether nothing but training looks at it.
      batched: whether it has a leading batch axis.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    training_only: bool = False
    batched: bool = True

    rule = "must be given"  # the end of a sentence whose subject is the field's name
    purpose = "which the model takes"  # a clause behind the field's name, where it is missing

    def spec(self, name: str) -> tf.TensorSpec:
        """The field as an input of an export."""
        return tf.TensorSpec([*([None] if self.batched else []), *self.shape], self.dtype, name)

    def check(self, name: str, values) -> np.ndarray:
        """Returns the values as an array, once they are known to be right.

        Raises:
          UsageError: naming the field, what it was and what it may be.
        """
        return np.asarray(values, self.dtype)

    def allows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns a bool, whether all values of a tensor of any shape follow the `rule`."""
        return tf.constant(True)

    def example(self) -> np.ndarray:
        """Returns the smallest value that is allowed, a batch of one where it is batched."""
        return np.ones([*([1] if self.batched else []), *self.shape], self.dtype)


@dataclasses.dataclass(frozen=True)
class PixelField(Field):
    """Images, whose pixels are in [0, 1]."""

    rule = "must hold finite pixels in [0, 1]"

    def check(self, name, values):
        if not self.batched:
            return check_images(np.asarray(values)[None], self.shape, name)[0]
        return check_images(values, self.shape, name)

    def allows(self, tensor):
        pixels = tf.reshape(tensor, [-1])  # whose rank is right, whatever came
        return tf.reduce_all((pixels >= 0) & (pixels <= 1))  # false for NaN, too


@dataclasses.dataclass(frozen=True)
class LabelField(Field):
    """Integer labels below `num_classes`; -1 means not labelled."""

    dtype: str = "int32"
    num_classes: int = 0

    @property
    def rule(self) -> str:
        """What labels may be."""
        return f"must hold labels from 0 to {self.num_classes - 1}, or -1 for not labelled"

    def check(self, name, values):
        values = np.asarray(values)
        integers = values.dtype.kind in "iu" and values.ndim == 1
        if not integers or values.min(initial=0) < -1 or values.max(initial=0) >= self.num_classes:
            raise UsageError(
                f"{name} {self.rule}; it was {list(values.shape)} of {values.dtype}"
                + (f" from {values.min()} to {values.max()}." if values.size else ".")
            )
        return values.astype(self.dtype)

    def allows(self, tensor):
        return tf.reduce_all((tensor >= -1) & (tensor < self.num_classes))

    def example(self):
        return np.full([1], -1, self.dtype)


@dataclasses.dataclass(frozen=True)
class IndexField(Field):
    """Numbers of examples, by which a model keeps the state of `num_examples` of them."""

    dtype: str = "int32"
    training_only: bool = True
    num_examples: int = 0

    rule = "must be below the number of examples that the model keeps chains for"
    purpose = "each example's number, by which the model keeps its chains"

    def check(self, name, values):
        values = np.asarray(values)
        if len(values) > self.num_examples:
            raise UsageError(
                f"x must hold at most the {self.num_examples} examples that the model keeps "
                f"chains for; it had {len(values)}."
            )
        return values.astype(self.dtype)

    def allows(self, tensor):
        return tf.reduce_all((tensor >= 0) & (tensor < self.num_examples))


@dataclasses.dataclass(frozen=True, eq=False)
class MaskField(Field):
    """Masks of what is visible, True = seen.

    Attributes:
      only: the one mask that a conditional model takes, [...shape]; None for any.
      called: the name of that mask.
    """

    dtype: str = "bool"
    only: np.ndarray | None = None
    called: str | None = None

    @property
    def rule(self) -> str:
        """What masks may be."""
        if self.only is None:
            return "must be a boolean mask"
        return f"must be the mask {self.called!r} that the model was trained for"

    def check(self, name, values, batch: int = 1):
        """Returns a mask as bool [batch, ...shape]; one mask serves all of them."""
        visible = check_visible(values, self.shape, batch, name)
        if self.only is not None and (visible != self.only).any():
            raise UsageError(f"{name} {self.rule}, its `visible_field.only`; it was another.")
        return visible

    def allows(self, tensor):
        return tf.constant(True) if self.only is None else tf.reduce_all(tensor == self.only)

    def example(self):
        return super().example() if self.only is None else self.only[None]


@dataclasses.dataclass(frozen=True)
class CountField(Field):
    """A number of samples or of steps."""

    dtype: str = "int32"
    batched: bool = False

    rule = "must be greater than 0"

    def allows(self, tensor):
        return tf.reduce_all(tensor > 0)


@dataclasses.dataclass(frozen=True)
class SeedField(Field):
    """A seed of two int32, as samplers take it."""

    shape: tuple[int, ...] = (2,)
    dtype: str = "int32"
    batched: bool = False

    rule = "must be a pair of int32"


def check_batch(fields: dict[str, Field], x) -> dict[str, np.ndarray]:
    """The fields of examples that a user asks about, [B, ...] each, checked.

    Args:
      fields: by name.
      x: the field `x` as an array, or a dictionary of all fields.

    Raises:
      UsageError: for a field that is missing, of another length, or that its check refuses.
    """
    given = x if isinstance(x, dict) else {"x": x}
    batch = {}
    for name, field in fields.items():
        if field.training_only:
            continue
        if name not in given:
            raise UsageError(f"{name} must be given, {field.purpose}; it was missing.")
        batch[name] = field.check(name, check_shape(given[name], None, name, least_rank=1))
        if len(batch[name]) != len(next(iter(batch.values()))):
            raise UsageError(f"{name} must be as many as x; it was {len(batch[name])}.")
    return batch
