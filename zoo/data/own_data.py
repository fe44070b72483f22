"""What a model must know of data, of whatever a user has of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.core.batches import as_batch, with_defaults
from zoo.core.checks import UsageError
from zoo.core.fields import Field, PixelField, check_batch
from zoo.core.labels import LabelField, label_counts
from zoo.core.pipeline import pipeline
from zoo.core.sequences import LengthField, SequenceField
from zoo.data.loading import Data


def as_data(given, sequences: bool = False) -> Data:
    """Makes of a user's data what `for_data` looks at.

    Args:
      given: what `zoo.data.load` returns; or an array of examples [N, ...event], pixels in [0, 1];
        a dictionary of arrays with such an `x`, or a pair (x, y); a batched `tf.data` pipeline of
        these; or the shape of one example, a tuple of whole numbers.
      sequences: whether examples are sequences [T, D] of any finite numbers, of which dictionaries
        may hold the `length` [N]; else all steps of each count.

    Returns:
      The data. Of a pipeline the number of examples is not known, of a shape neither that nor the
      mean; a method that needs it says so.

    Raises:
      UsageError: for anything else, or arrays that are no images or no sequences.
    """
    fields_of = _sequence_fields if sequences else _image_fields
    if isinstance(given, Data):
        if sequences and "length" not in given.fields:
            held = ", ".join(given.fields)
            raise UsageError(f"data must hold sequences, with their length; it held {held}.")
        if not sequences and "length" in given.fields:
            raise UsageError(
                "data must hold examples without a length; it held sequences, which models such as "
                "VRNN take."
            )
        return given
    if isinstance(given, tf.data.Dataset):
        fields = fields_of(_shape_of_batches(given, sequences))
        return _of(fields, given.map(lambda *batch: _batch(batch, fields)))
    if isinstance(given, tf.TensorShape | tuple | list) and _is_shape(tuple(given)):
        return _of(fields_of(tuple(given)[given[0] is None :]))
    if isinstance(given[0] if isinstance(given, tuple) and given else given, _ARRAYS):
        arrays = as_batch(given)
        shape = np.shape(arrays.get("x"))
        if len(shape) >= 2:
            fields = fields_of(shape[1:])
            arrays = arrays | check_batch(fields, arrays)
            x = arrays["x"]
            batches = pipeline({name: arrays[name] for name in fields}, min(len(x), 1000))
            made = _of(fields, batches, {"train": len(x)})
            y = np.asarray(arrays.get("y"))
            # Others are no labels; a model that takes them says so.
            is_labels = y.dtype.kind in "iu" and y.shape == (len(x),) and y.max() < 2**20
            return _labelled(made, y) if is_labels else made
    raise UsageError(
        "data must be what zoo.data.load returns, an array of examples [N, ...event], a batched "
        f"tf.data pipeline, or the shape of one example; it was {_told(given)}."
    )


def as_images(given) -> Data:
    """Makes of a user's data what `for_data` looks at, of a method that is for images alone.

    Args:
      given: as `as_data`.

    Returns:
      The data, of examples (height, width, channels).

    Raises:
      UsageError: as `as_data`, and for examples of another number of axes.
    """
    data = as_data(given)
    if len(data.shape) != 3:
        raise UsageError(f"data must be images, (height, width, channels); they were {data.shape}.")
    return data


_ARRAYS = (np.ndarray, tf.Tensor, dict)


def _image_fields(shape) -> dict[str, Field]:
    return {"x": PixelField(shape)}


def _sequence_fields(shape) -> dict[str, Field]:
    if len(shape) != 2:
        raise UsageError(f"data must hold sequences [T, D]; their shape was {list(shape)}.")
    return {"x": SequenceField(shape), "length": LengthField(max_length=shape[0])}


def _of(fields, train=None, num_examples=None):
    return Data(train, None, None, fields, num_examples or {})


def _labelled(data, labels):
    """The same data with what labels there are."""
    labels = LabelField(num_classes=2**31 - 1).check("y", labels)
    num_classes = int(labels.max()) + 1
    return dataclasses.replace(
        data,
        fields=data.fields | {"y": LabelField(num_classes=num_classes)},
        label_counts=label_counts(labels, num_classes),
    )


def _is_shape(given):
    numbers = given[1:] if given and given[0] is None else given
    return len(numbers) > 0 and all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in numbers
    )


def _batch(batch, fields):
    batch = with_defaults(as_batch(batch), fields)
    return {name: batch[name] for name in fields}


def _shape_of_batches(dataset, sequences):
    spec = as_batch(dataset.element_spec).get("x")
    shape = getattr(spec, "shape", tf.TensorShape(None))
    if shape.rank is None or shape.rank < 2 or not shape[1:].is_fully_defined():
        raise UsageError(
            "data must give batches [N, ...event] of a known shape; the pipeline's x was "
            f"{shape if shape.rank is None else shape.as_list()}."
        )
    looks_alone = shape.rank == 3 and shape[0] is not None and shape[-1] in (1, 3)
    if (shape.rank == 2) if sequences else looks_alone:
        kind = "a sequence" if sequences else "an image"
        raise UsageError(
            "data must give batches [N, ...event]; the pipeline's x was "
            f"{shape.as_list()}, {kind} by itself: give data.batch(32)."
        )
    return tuple(shape[1:])


def _told(given):
    shape = getattr(given, "shape", None)
    kind = type(given).__name__
    return f"a {kind}" if shape is None else f"a {kind} of the shape {list(shape)}"
