"""Input pipelines: batches of checked fields, in an order that is a function of (seed, epoch)."""

import contextlib
import functools

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError, check_count
from zoo.core.fields import Field, check_batch


@functools.cache
def epoch_variable() -> tf.Variable:
    """The epoch that every shuffled pipeline reads; the callback `EpochSetter` writes it."""
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.Variable(0, trainable=False, dtype=tf.int64, name="epoch")


def pipeline(
    arrays: dict[str, np.ndarray],
    batch_size: int,
    *,
    fields: dict[str, Field] | None = None,
    seed: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Makes batches of arrays that share their first axis.

    Args:
      arrays: by name, each [N, ...].
      batch_size: examples in a batch.
      fields: those that decode what their arrays keep, by name.
      seed: of the order, shuffled anew for every epoch; None keeps the order.
      drop_remainder: leave out a last batch that is not full.

    Returns:
      A pipeline of dictionaries, with the example's number as `index`, unless that is an array.
    """
    size = len(next(iter(arrays.values())))
    with tf.device("CPU:0"):
        tensors = {name: tf.constant(array) for name, array in arrays.items()}
    num_batches = size // batch_size if drop_remainder else -(-size // batch_size)
    if seed is not None:
        # A variable, made here and not when the first element is asked for.
        epoch = epoch_variable()

    def order(_):
        index = tf.range(size)
        if seed is not None:
            key = samplers.fold_in(seed, "order", epoch)
            index = tf.random.experimental.stateless_shuffle(index, key)
        return tf.data.Dataset.from_tensor_slices(index)

    def gather(index):
        batch = {name: tf.gather(stored, index) for name, stored in tensors.items()}
        decoded = {name: field.decode(batch[name]) for name, field in (fields or {}).items()}
        return {"index": index} | batch | decoded

    # Every worker takes its part of each batch.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return (
        tf.data.Dataset.range(1)
        .flat_map(order)
        .batch(batch_size, drop_remainder=drop_remainder)
        .map(gather)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def as_pipeline(
    x,
    y,
    fields: dict[str, Field],
    batch_size: int | None = None,
    *,
    seed: int | None = None,
    training: bool = False,
) -> tf.data.Dataset:
    """Makes a pipeline of checked fields of what a user passes to `fit` or `evaluate`.

    Args:
      x: an array, a dictionary of arrays or a pipeline.
      y: an array, or None.
      fields: those that the model takes, by name.
      batch_size: of arrays; 32 by default.
      seed: of the order of arrays; None keeps it.
      training: whether fields that only training looks at are needed, and batches must be full.

    Returns:
      A pipeline of dictionaries, which hold at least the fields.

    Raises:
      UsageError: for a field that is missing or that its check refuses, or for no full batch.
    """
    fields = {name: field for name, field in fields.items() if training or not field.training_only}
    if isinstance(x, tf.data.Dataset):
        if batch_size is not None:
            raise UsageError("batch_size must be left out for a pipeline, which has its own.")
        return _checked(x, fields)
    if x is None:
        raise UsageError("x must be an array, a dictionary of arrays or a tf.data.Dataset.")
    arrays = dict(x) if isinstance(x, dict) else {"x": x}
    arrays = check_batch(fields, arrays if y is None else arrays | {"y": y})
    batch_size = 32 if batch_size is None else batch_size
    check_count(batch_size=batch_size)
    if training and len(arrays["x"]) < batch_size:
        raise UsageError(
            f"x must fill at least one batch of batch_size={batch_size}; it had {len(arrays['x'])}."
        )
    return pipeline(arrays, batch_size, seed=seed, drop_remainder=training)


def as_batch(data) -> dict[str, tf.Tensor]:
    """Returns one element of any accepted pipeline as a new dictionary with `x`."""
    if isinstance(data, dict):
        return dict(data)
    if isinstance(data, (tuple, list)):
        return dict(zip(("x", "y"), data, strict=False))
    return {"x": data}


def _checked(dataset: tf.data.Dataset, fields: dict[str, Field]) -> tf.data.Dataset:
    """The same pipeline, whose batches are dictionaries of fields of their types."""
    if isinstance(dataset.element_spec, tuple) and len(dataset.element_spec) > 2:
        raise UsageError("x must give images, (x, y) or dictionaries: sample weights are not used.")
    if dataset.cardinality() == 0:
        raise UsageError("x must hold at least one batch; the pipeline was empty.")
    specs = as_batch(dataset.element_spec)
    if "x" not in specs:
        raise UsageError(f"x must be a key of the pipeline's batches; they had {sorted(specs)}.")
    for name, field in fields.items():
        if name not in specs:
            raise UsageError(
                f"x must give dictionaries with {name}, {field.purpose}; the pipeline's batches "
                f"had {sorted(specs)}."
            )
        field.check_type(name, np.dtype(specs[name].dtype.as_numpy_dtype))
        if not specs[name].shape.is_compatible_with([None, *field.shape]):
            raise UsageError(
                f"{name} must have the shape {field.shape_text}; the pipeline's was "
                f"{specs[name].shape.as_list()}."
            )

    def check(*data):
        batch = as_batch(data if len(data) > 1 else data[0])
        checked = {name: tf.cast(batch[name], field.dtype) for name, field in fields.items()}
        found = [
            tf.debugging.Assert(field.allows(checked[name]), [_told(name, field)])
            for name, field in fields.items()
        ]
        with tf.control_dependencies(found):
            return batch | {
                name: tf.ensure_shape(values, [None, *fields[name].shape])
                for name, values in checked.items()
            }

    return dataset.map(check)


def _told(name, field):
    return f"{name} {field.rule}; the pipeline gave others."


@contextlib.contextmanager
def pipeline_errors(fields: dict[str, Field]):
    """A context in which what a pipeline gives and a field does not allow is told.

    Raises:
      UsageError: naming the field and what it may be.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for name, field in fields.items():
            if _told(name, field) in error.message:
                raise UsageError(_told(name, field)) from None
            # As TensorFlow writes it.
            if f"expected shape [{','.join(['?', *map(str, field.shape)])}]" in error.message:
                raise UsageError(
                    f"{name} must have the shape {field.shape_text}; the pipeline gave others."
                ) from None
        raise
