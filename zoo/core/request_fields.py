"""What requests hold beside the fields of a batch: masks, counts and seeds."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.choices import MASKS, SEQUENCE_MASKS
from zoo.core.fields import Field, as_array


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

    names = MASKS  # of the masks that can be made for it, as `zoo.data.mask` takes them

    @property
    def rule(self) -> str:
        """What masks may be."""
        if self.only is None:
            return "must be a boolean mask"
        return f"must be the mask {self.called!r} that the model was trained for"

    def allows(self, values):
        return tf.constant(True) if self.only is None else tf.reduce_all(values == self.only)

    def check(self, name, values, batch: int = 1):
        """Checks the masks of examples.

        Args:
          name: of the field, which errors name.
          values: a mask for each example, or one for all; of bools, of 0 and 1, or of 0 and 255. Of
            images the axis of channels may be left out, or have one entry.
          batch: the number of examples.

        Returns:
          Masks as bool [batch, ...shape].

        Raises:
          UsageError: for another shape or type, or another mask than `only`.
        """
        visible = self._with_channels(as_booleans(name, values), batch)
        if visible.shape not in (self.shape, (batch, *self.shape)):
            raise UsageError(
                f"{name} must have the shape {list(self.shape)} or {[batch, *self.shape]}; "
                f"it was {list(visible.shape)}."
            )
        if not self.allows(tf.constant(visible)):
            where = "" if self.only is None else ", its `visible_field.only`"
            raise UsageError(f"{name} {self.rule}{where}; it was another.")
        return np.broadcast_to(visible, (batch, *self.shape))

    def _with_channels(self, visible, batch):
        """The same mask, for every channel of an image if it says nothing of them."""
        image = len(self.shape) == 3 and visible.shape not in (self.shape, (batch, *self.shape))
        if image and visible.shape in (self.shape[:2], (batch, *self.shape[:2])):
            visible = visible[..., None]
        if image and visible.shape[-1:] == (1,):
            visible = visible.repeat(self.shape[-1], axis=-1)
        return visible

    def example(self):
        return super().example() if self.only is None else self.only[None]


@dataclasses.dataclass(frozen=True, eq=False)
class PrefixField(MaskField):
    """Masks of sequences [T, D] whose first steps are visible, and what follows them hidden."""

    names = SEQUENCE_MASKS

    rule = "must be a mask that is True for the first steps and False after them"

    def allows(self, values):
        seen = tf.reduce_all(values, -1)
        of_whole_steps = tf.reduce_all(seen == tf.reduce_any(values, -1))
        return of_whole_steps & tf.reduce_all(seen[..., :-1] | ~seen[..., 1:])


@dataclasses.dataclass(frozen=True)
class CountField(Field):
    """A number of samples or of steps."""

    dtype: str = "int32"
    batched: bool = False

    rule = "must be greater than 0"

    def allows(self, values):
        return tf.reduce_all(values > 0)


@dataclasses.dataclass(frozen=True)
class SeedField(Field):
    """A seed of two int32, as samplers take it."""

    shape: tuple[int, ...] = (2,)
    dtype: str = "int32"
    batched: bool = False

    rule = "must be a pair of int32"


def as_booleans(name: str, values) -> np.ndarray:
    """Returns what can only be meant as bools: bools, numbers 0 and 1, or bytes 0 and 255.

    Args:
      name: of them, which errors name.
      values: whatever NumPy takes for an array.

    Raises:
      UsageError: for others.
    """
    values = as_array(name, values)
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind not in "iuf":
        raise UsageError(f"{name} must be a boolean mask; its dtype was {values.dtype}.")
    is_one = values == 1
    if not (is_one | (values == 0)).all():
        is_one = values == 255
        if not (is_one | (values == 0)).all():
            raise UsageError(
                f"{name} must be a boolean mask, or hold 0 and 1, or 0 and 255; its numbers run "
                f"from {values.min():g} to {values.max():g}."
            )
    return is_one
