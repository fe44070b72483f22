"""The fields of a batch: each says its shape, its type, and what its values may be."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError


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

    optional = False  # whether `default` stands for what is left out

    rule = "must hold finite numbers"  # the end of a sentence whose subject is the field's name
    purpose = "which the model takes"  # a clause behind the field's name, where it is missing
    advice = ""  # the end of a sentence on other values, which are not told

    pictured = "x"  # which answer of a model pictures show: a draw, or its expectation "mean"
    hidden = 0.0  # the number that stands in pictures for what is hidden
    rate = 0  # samples in a second, in Hz, of what can be heard

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))

    def for_inference(self) -> "Field":
        """Returns the field as all but training takes it."""
        return self

    def spec(self, name: str) -> tf.TensorSpec:
        """Returns the field as an input of an export."""
        return tf.TensorSpec([*([None] if self.batched else []), *self.shape], self.dtype, name)

    def example(self) -> np.ndarray:
        """Returns a value that is allowed, a batch of one where the field is batched."""
        return np.ones([*([1] if self.batched else []), *self.shape], self.dtype)

    def default(self, name: str, size: int) -> np.ndarray:
        """Returns the values where a user gives none.

        Args:
          name: of the field, which errors name.
          size: the number of examples.

        Raises:
          UsageError: by fields that must be given.
        """
        raise UsageError(f"{name} must be given, {self.purpose}; it was missing.")

    def decode(self, stored: tf.Tensor) -> tf.Tensor:
        """Returns the values of what a data set keeps in memory, maybe of another type."""
        return tf.cast(stored, self.dtype)

    def allows(self, values: tf.Tensor) -> tf.Tensor:
        """Returns a bool, whether all values of a tensor of any shape follow the `rule`."""
        if self.dtype.startswith("float"):
            return tf.reduce_all(tf.math.is_finite(values))
        return tf.constant(True)

    def check(self, name: str, values) -> np.ndarray:
        """Checks what a user gives.

        Args:
          name: of the field, which errors name.
          values: whatever NumPy takes for an array.

        Returns:
          An array of the field's shape and type.

        Raises:
          UsageError: for another shape or type, no examples, or values that the field does not
            allow.
        """
        given = values = self.check_shape(name, values)
        # Integers are looked at before they are cast, where they might wrap.
        values = values.astype("int64" if self.dtype == "int32" else self.dtype)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UsageError(f"{name} must be finite; it holds NaN or infinite numbers.")
        if not self.allows(tf.constant(values)):
            rule = self.rule.replace("finite ", "")
            ruled = self.ruled(values)
            low, high = ruled.min(), ruled.max()
            hint = self.hint(given.dtype, low, high)
            ends = [f"{end:g}" for end in (low, high)]
            if self.allows(tf.constant(np.array(ends, float).astype(values.dtype))):
                ends = [f"{end!s}" for end in (low, high)]  # six digits would not show it
            raise UsageError(f"{name} {rule}; they run from {ends[0]} to {ends[1]}{hint}.")
        return values.astype(self.dtype, copy=False)

    def ruled(self, values: np.ndarray) -> np.ndarray:
        """Returns those of the values that the `rule` bounds."""
        return values

    def hint(self, dtype: np.dtype, low: float, high: float) -> str:
        """What helps where values run from `low` to `high`, if it is clear: a sentence's end."""
        return ""

    def picture(self, x: np.ndarray) -> np.ndarray:
        """Draws examples.

        Args:
          x: [..., *shape].

        Returns:
          Images [..., height, width, 1 or 3], numbers in [0, 1] as far as those of pixels are.

        Raises:
          UsageError: by fields of which there are no pictures.
        """
        raise UsageError(f"x must be images or sequences to be drawn; it was {self!r}.")

    def check_training(self, name: str, values: np.ndarray) -> None:
        """Refuses values of all training examples together, each of which is allowed.

        Args:
          name: of the field, which errors name.
          values: what `check` returned.

        Raises:
          UsageError: where nothing can be learned of them.
        """

    def check_shape(self, name: str, values) -> np.ndarray:
        """Checks the shape and the type alone of what a user gives.

        Returns:
          An array of the field's shape, and of any type of which its values can be.

        Raises:
          UsageError: for another shape or type, or no examples.
        """
        values = as_array(name, values)
        self.check_type(name, values.dtype)
        leading = int(self.batched)
        batch, shape = values.shape[:leading], values.shape[leading:]
        if len(batch) != leading or shape != self.shape:
            raise UsageError(
                f"{name} must have the shape {self.shape_text}; it was {list(values.shape)}."
            )
        if batch == (0,):
            raise UsageError(
                f"{name} must be a batch of at least one example; it was {list(values.shape)}."
            )
        return values

    def check_type(self, name: str, dtype: np.dtype) -> None:
        """Refuses types of which the field's values cannot be.

        Raises:
          UsageError: naming the field and the type.
        """
        kinds, wanted = _TYPES[np.dtype(self.dtype).kind]
        if dtype.kind not in kinds:
            raise UsageError(f"{name} must {wanted}; its dtype was {dtype}.")

    @property
    def shape_text(self) -> str:
        """The shape as messages show it."""
        return f"[{', '.join([*['N'] * self.batched, *map(str, self.shape)])}]"


_TYPES = {  # the kinds of types that a field of a kind takes, and how messages say so
    "f": ("fiub", "hold numbers"),
    "i": ("iu", "hold whole numbers"),
    "b": ("b", "be a boolean mask"),
}


class PixelValues:
    """What fields of pixels have in common: values in [0, 1]; data sets may keep them as bytes."""

    rule = "must hold finite pixels in [0, 1]"
    advice = "; bytes must be divided by 255"

    pictured = "mean"
    hidden = 0.5

    def decode(self, stored):
        values = super().decode(stored)
        return values / 255 if stored.dtype == tf.uint8 else values

    def hint(self, dtype, low, high):
        if dtype == np.uint8 or (low >= 0 and 127 < high <= 255):
            return "; divide them by 255"
        if low >= -_ROUNDING and high <= 1 + _ROUNDING:
            return "; np.clip(x, 0, 1) takes rounding errors away"
        return "; add 1 and divide by 2" if -1 <= low < -0.5 and high <= 1 else ""

    def allows(self, values):
        values = tf.reshape(values, [-1])  # whose rank is right, whatever came
        return tf.reduce_all((values >= 0) & (values <= 1))  # false for NaN, too

    def picture(self, x):
        return x if len(self.shape) == 3 else x[..., None]


_ROUNDING = 1e-3  # by which arithmetic leaves [0, 1]


@dataclasses.dataclass(frozen=True)
class PixelField(PixelValues, Field):
    """Images, whose pixels are in [0, 1]; data sets may keep them as bytes."""


@dataclasses.dataclass(frozen=True)
class IndexField(Field):
    """Numbers of examples, by which a model keeps something for each of them.

    Attributes:
      num_examples: all numbers are below it.
    """

    dtype: str = "int32"
    training_only: bool = True
    num_examples: int = 0

    purpose = "each example's number, by which the model keeps its latents"

    @property
    def rule(self) -> str:
        """What numbers of examples may be."""
        return (
            "must be below the number of examples that the model keeps latents for, "
            f"{self.num_examples}"
        )

    def default(self, name, size):
        return np.arange(size)

    def allows(self, values):
        return tf.reduce_all((values >= 0) & (values < self.num_examples))


def inference_fields(fields: dict[str, Field]) -> dict[str, Field]:
    """Returns those that not only training looks at, by name, as all but training takes them."""
    return {k: field.for_inference() for k, field in fields.items() if not field.training_only}


def as_array(name: str, values) -> np.ndarray:
    """Returns what NumPy makes of values.

    Args:
      name: of the field, which errors name.
      values: whatever NumPy takes for an array.

    Raises:
      UsageError: if it takes them for none.
    """
    try:
        return np.asarray(values)
    except (ValueError, TypeError):
        raise UsageError(f"{name} must be an array; NumPy cannot make one of it.") from None


def check_batch(fields: dict[str, Field], given) -> dict[str, np.ndarray]:
    """Checks the fields of examples that a user gives.

    Args:
      fields: those that are looked at, by name; `x` among them.
      given: the field `x` as an array, or a dictionary of arrays, in which others are let be; but
        for the length of `y`, which may be an argument of its own.

    Returns:
      An array for each of `fields`, all of one length.

    Raises:
      UsageError: for a field that is missing, of another length, or that its check refuses.
    """
    given = given if isinstance(given, dict) else {"x": given}
    if "x" not in given:
        raise UsageError(f"x must be a key of the dictionary of arrays; it had {list(given)}.")
    batch = {"x": fields["x"].check("x", given["x"])}
    size = len(batch["x"])
    for name, field in fields.items():
        values = given.get(name)
        batch[name] = field.check(name, field.default(name, size) if values is None else values)
    check_lengths({"y": given.get("y")} | batch, size)
    return batch


def check_lengths(arrays: dict, size: int) -> None:
    """Refuses arrays that are not as long as x, whatever else they are.

    Args:
      arrays: by name; None where there is none.
      size: the length of x.

    Raises:
      UsageError: naming the first such array.
    """
    for name, values in arrays.items():
        try:
            length = size if values is None else len(values)
        except TypeError:
            length = "a single value"
        if length != size:
            raise UsageError(f"{name} must be as long as x, {size}; it was {length}.")
