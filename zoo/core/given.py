"""What users pass to `fit` and its kind, as pipelines of batches of checked fields."""

import collections.abc
import contextlib
import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from zoo.core.batches import (
    as_batch,
    check_no_weights,
    check_specs,
    checked_batch,
    with_defaults,
)
from zoo.core.checks import UsageError, check_count
from zoo.core.fields import Field, as_array, check_batch, check_lengths, inference_fields
from zoo.core.pipeline import pipeline


class Given:
    """What a user gives to one call, and the errors of the user's own code while it runs.

    Args:
      fields: those that the model takes, by name.
    """

    def __init__(self, fields: dict[str, Field]):
        self.fields, self._raised = fields, []

    def batches(
        self,
        x,
        y=None,
        batch_size: int | None = None,
        *,
        seed: int | None = None,
        training: bool = False,
        **steps: int | None,
    ):
        """Makes batches of checked fields of what a user passes.

        Args:
          x: an array, a dictionary of arrays, a pipeline, a `keras.utils.PyDataset` or a generator.
          y: an array, or None.
          batch_size: of arrays; 32 by default.
          seed: of the order of arrays; None keeps it.
          training: whether fields that only training looks at are needed, and batches must be full.
          **steps: the argument that says how many batches are taken, where it was given.

        Returns:
          What Keras takes; its batches are dictionaries, which hold at least the fields.

        Raises:
          UsageError: for a field that is missing or that its check refuses, for no full batch, or
            for data that do not end.
        """
        fields = self.fields if training else inference_fields(self.fields)
        kind = _kind_of(x)
        if isinstance(getattr(x, "train", None), tf.data.Dataset):
            raise UsageError("x must be one pipeline, such as data.train; it was all of the data.")
        if kind is None:
            _check_has_examples(x)
            return _of_arrays(x, y, fields, batch_size, seed, training)
        for name, value in (("y", y), ("batch_size", batch_size)):
            if value is not None:
                raise UsageError(f"{name} must be left out for {kind}, which has its own.")
        for name, value in steps.items():
            if value is None and not _ends(x):
                raise UsageError(f"{name} must be given for {kind} whose end is not known.")
        if isinstance(x, tf.data.Dataset):
            return _checked(x, fields)
        if isinstance(x, keras.utils.PyDataset):
            return _CheckedPyDataset(x, fields, self._raised)
        return self._of_generator(x, fields)

    def validation(self, data, batch_size: int | None = None, **steps: int | None):
        """Makes batches of `validation_data`: x, or a pair (x, y)."""
        pair = data if isinstance(data, tuple | list) else (data,)
        if not 0 < len(pair) < 4:
            raise UsageError(
                "validation_data must be x or a pair (x, y), as fit takes them; it was a "
                f"{type(data).__name__} of {len(pair)}."
            )
        x, y, weights = keras.utils.unpack_x_y_sample_weight(tuple(pair))
        check_no_weights(sample_weight=weights)
        return self.batches(x, y, None if _kind_of(x) else batch_size, **steps)

    def _of_generator(self, batches, fields):
        is_empty = True
        with _kept(self._raised):
            for batch in batches:
                is_empty = False
                # Keras takes pairs of a generator alone, or a single thing as a tuple of one.
                yield (checked_batch(batch, fields),)
        if is_empty:
            raise UsageError("x must give at least one batch; the generator gave none.")

    @contextlib.contextmanager
    def errors(self):
        """A context in which what went wrong in a pipeline is told as it is.

        Raises:
          UsageError: naming the field and what it may be.
          Exception: that of a user's own code, and not what TensorFlow makes of it.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self._raised:
                raise self._raised[0] from None
            for fields in (self.fields, inference_fields(self.fields)):
                _tell(error.message, fields)
            raise


def first_of(batches) -> tuple[dict, object]:
    """Returns the first of batches as `Given.batches` makes them, and all of them."""
    if isinstance(batches, keras.utils.PyDataset):
        return as_batch(batches[0]), batches
    if isinstance(batches, tf.data.Dataset):
        return as_batch(next(iter(batches))), batches
    first = next(batches)  # of a generator, which is made once
    return as_batch(first), (batch for batch in itertools.chain([first], batches))


def split_arrays(x, y, share: float) -> tuple:
    """Splits off the last share of arrays, as `validation_split` of Keras.

    Args:
      x: an array, or a dictionary of arrays.
      y: an array, or None.
      share: of the examples, between 0 and 1.

    Returns:
      Dictionaries of the first examples and of the last.

    Raises:
      UsageError: for other data, another share, or one that leaves nothing of either.
    """
    if x is None or _kind_of(x):
        raise UsageError(
            f"validation_split must be left out for {_kind_of(x) or 'no x'}: arrays alone are "
            "split; give validation_data."
        )
    arrays = as_batch((x, y))
    arrays = {name: as_array(name, values) for name, values in arrays.items() if values is not None}
    fine = isinstance(share, float) and 0 < share < 1
    size = arrays["x"].shape[0] if "x" in arrays and arrays["x"].ndim else 0
    first = math.floor(size * (1.0 - share)) if fine else 0
    if not 0 < first < size:
        raise UsageError(
            "validation_split must be between 0 and 1, and leave examples of both kinds; it was "
            f"{share!r} of {size} examples."
        )
    check_lengths(arrays, size)
    parts = slice(None, first), slice(first, None)
    return tuple({name: a[part] for name, a in arrays.items()} for part in parts)


def _check_has_examples(x):
    """Refuses a thing by itself, such as a name, or a loader of which NumPy makes no array."""
    if not isinstance(x, dict | list | tuple) and not np.ndim(x):
        what = "None" if x is None else f"a {type(x).__name__}"
        raise UsageError(
            "x must be an array, a dictionary of arrays, a tf.data.Dataset, a PyDataset or a "
            f"generator of batches, such as iter(loader); it was {what}."
        )


def _kind_of(x):
    """What messages call data that come in batches; None of arrays."""
    for kind, name in _KINDS.items():
        if isinstance(x, kind):
            return name
    return None


_KINDS = {
    tf.data.Dataset: "a pipeline",
    keras.utils.PyDataset: "a PyDataset",
    collections.abc.Iterator: "a generator",
}


def _ends(x):
    if isinstance(x, tf.data.Dataset):
        return x.cardinality() != tf.data.INFINITE_CARDINALITY
    return isinstance(x, keras.utils.PyDataset) and x.num_batches is not None


def _of_arrays(x, y, fields, batch_size, seed, training):
    arrays = as_batch((x, y))
    arrays = check_batch(fields, arrays)
    for name, field in fields.items() if training else ():
        field.check_training(name, arrays[name])
    batch_size = 32 if batch_size is None else batch_size
    check_count(batch_size=batch_size)
    if training and len(arrays["x"]) < batch_size:
        raise UsageError(
            f"x must fill at least one batch of batch_size={batch_size}; it had {len(arrays['x'])}."
        )
    return pipeline(arrays, batch_size, seed=seed, drop_remainder=training)


class _CheckedPyDataset(keras.utils.PyDataset):
    """The same batches, checked."""

    def __init__(self, given, fields, raised):
        if given.use_multiprocessing:
            raise UsageError(
                "use_multiprocessing must be False, since TensorFlow cannot be forked; workers are "
                "threads then; it was True."
            )
        super().__init__(workers=given.workers, max_queue_size=given.max_queue_size)
        self.given, self.fields, self.raised = given, fields, raised

    @property
    def num_batches(self):
        return self.given.num_batches

    def __getitem__(self, index):
        with _kept(self.raised):
            return checked_batch(self.given[index], self.fields)

    def on_epoch_begin(self):
        self.given.on_epoch_begin()

    def on_epoch_end(self):
        self.given.on_epoch_end()


@contextlib.contextmanager
def _kept(raised):
    """A context whose errors TensorFlow will wrap, and which are kept as they were."""
    try:
        yield
    except Exception as error:
        raised.append(error)
        raise


def _checked(dataset: tf.data.Dataset, fields: dict[str, Field]) -> tf.data.Dataset:
    """The same pipeline, whose batches are dictionaries of fields of their types."""
    if dataset.cardinality() == 0:
        raise UsageError("x must hold at least one batch; the pipeline was empty.")
    specs = as_batch(dataset.element_spec)
    check_specs(specs, {k: f for k, f in fields.items() if k in specs or not f.optional})

    @tf.autograph.experimental.do_not_convert
    def check(*data):
        batch = with_defaults(as_batch(data), fields)
        checked = {name: tf.cast(batch[name], field.dtype) for name, field in fields.items()}
        found = [tf.debugging.Assert(tf.shape(checked["x"])[0] > 0, [_EMPTY])]
        found += [
            tf.debugging.Assert(field.allows(checked[name]), [_told(name, field)])
            for name, field in fields.items()
        ]
        with tf.control_dependencies(found):
            return batch | {
                name: tf.ensure_shape(values, [None, *fields[name].shape])
                for name, values in checked.items()
            }

    return dataset.map(check)


_EMPTY = "x must give at least one example in every batch; the pipeline gave an empty one."


def _told(name, field):
    return f"{name} {field.rule}; the pipeline gave others{field.advice}."


def _tell(message, fields):
    """Raises what a message of TensorFlow is about, if it is about batches."""
    if _EMPTY in message:
        raise UsageError(_EMPTY) from None
    for name, field in fields.items():
        if _told(name, field) in message:
            raise UsageError(_told(name, field)) from None
        # As TensorFlow writes it.
        if f"expected shape [{','.join(['?', *map(str, field.shape)])}]" in message:
            raise UsageError(
                f"{name} must have the shape {field.shape_text}; the pipeline gave others."
            ) from None
