"""One batch: a dictionary of fields, however it comes, which is checked in one place."""

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.fields import Field

_WEIGHTS = ("sample_weight", "class_weight")


def as_batch(data) -> dict[str, tf.Tensor]:
    """Returns one element of any accepted pipeline as a new dictionary with `x`.

    Args:
      data: an array `x`, a pair `(x, y)`, or a dictionary of fields, alone or with y.

    Raises:
      UsageError: for weights of examples, which no method here defines.
    """
    data = tuple(data) if isinstance(data, list) else data
    parts = data if isinstance(data, tuple) and 0 < len(data) < 4 else (data,)
    x, y, weights = (*parts, None, None)[:3]
    check_no_weights(sample_weight=weights)
    batch = dict(x) if isinstance(x, dict) else {"x": x}
    check_no_weights(**batch)
    return batch if y is None else batch | {"y": y}


def check_no_weights(**given) -> None:
    """Refuses weights of examples or classes.

    Raises:
      UsageError: naming them.
    """
    for name in _WEIGHTS:
        if given.get(name) is not None:
            raise UsageError(
                f"{name} must be left out: no method here weighs examples, and sample weights "
                "are not used."
            )


def check_specs(specs: dict, fields: dict[str, Field]) -> None:
    """Refuses batches whose fields are missing, or of a wrong type or shape.

    Args:
      specs: what has a `dtype` and a `shape`, by name.
      fields: those that are needed, by name.

    Raises:
      UsageError: naming the field.
    """
    if "x" not in specs:
        raise UsageError(f"x must be a key of the batches; they had {sorted(specs)}.")
    for name, field in fields.items():
        if name not in specs:
            raise UsageError(
                f"x must give dictionaries with {name}, {field.purpose}; the batches had "
                f"{sorted(specs)}."
            )
        if not isinstance(specs[name], tf.TensorSpec | tf.Tensor):
            raise UsageError(f"{name} must be one dense tensor; it was {specs[name]!r:.60}.")
        field.check_type(name, np.dtype(specs[name].dtype.as_numpy_dtype))
        shape = specs[name].shape
        if shape.is_compatible_with([None, *field.shape]):
            continue
        hint = "; .batch(batch_size) is missing" if shape.is_compatible_with(field.shape) else ""
        raise UsageError(
            f"{name} must have the shape {field.shape_text}; the batches' was "
            f"{shape.as_list()}{hint}."
        )


def checked_batch(data, fields: dict[str, Field]) -> dict[str, tf.Tensor]:
    """Makes a batch of what a step is given.

    Args:
      data: as `as_batch` takes it.
      fields: those that are needed, by name.

    Returns:
      The batch, whose fields are of their types.

    Raises:
      UsageError: for a field that is missing, or of a wrong type, shape or length; and, where
        values are known, for those that its check refuses. (In a graph they are not: `fit` and its
        kind have checked them before.)
    """
    batch = as_batch(data)
    if tf.executing_eagerly():
        arrays = {k: f.check(k, batch[k]) for k, f in fields.items() if batch.get(k) is not None}
        for name, values in arrays.items():
            if len(values) != len(arrays["x"]):
                raise UsageError(
                    f"{name} must be as long as x, {len(arrays['x'])}; it was {len(values)}."
                )
        batch |= {name: tf.constant(values) for name, values in arrays.items()}
    batch = with_defaults(batch, fields)
    check_specs(batch, fields)
    return batch | {name: tf.cast(batch[name], field.dtype) for name, field in fields.items()}


def with_defaults(batch: dict, fields: dict[str, Field]) -> dict:
    """Returns the batch, in which the defaults of optional fields stand for those left out."""
    size = tf.shape(batch["x"])[:1] if "x" in batch else [0]
    left_out = {k: f for k, f in fields.items() if f.optional and batch.get(k) is None}
    return batch | {k: tf.repeat(f.default(k, 1), size, axis=0) for k, f in left_out.items()}
