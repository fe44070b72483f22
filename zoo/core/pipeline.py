"""Input pipelines: batches of checked fields, in an order that is a function of (seed, epoch)."""

import contextlib
import functools

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError, check_count, check_images
from zoo.core.fields import Field


@functools.cache
def epoch_variable() -> tf.Variable:
    """The epoch that every shuffled pipeline reads; the callback `EpochSetter` writes it."""
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.Variable(0, trainable=False, dtype=tf.int64, name="epoch")


def pipeline(
    arrays: dict[str, np.ndarray],
    batch_size: int,
    *,
    seed: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Batches of arrays that share their first axis, as dictionaries, with the example's `index`.

    Args:
      arrays: by name, each [N, ...]; `x` as pixels in [0, 1], or as bytes, which become these.
      batch_size: examples in a batch.
      seed: of the order, shuffled anew for every epoch; None keeps the order.
      drop_remainder: leave out a last batch that is not full.
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
        batch = {name: tf.gather(value, index) for name, value in tensors.items()}
        if batch["x"].dtype == tf.uint8:
            batch["x"] = tf.cast(batch["x"], tf.float32) / 255
        return batch | {"index": index}

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
    y=None,
    fields: dict[str, Field] | None = None,
    batch_size: int | None = None,
    *,
    seed: int | None = None,
    training: bool = False,
) -> tf.data.Dataset:
    """What a user passes to `fit` or `evaluate`, as a pipeline of the checked fields.

    Args:
      x: an array, a dictionary of arrays or a pipeline.
      y: an array, if there is one.
      fields: those that the model takes, by name.
      batch_size: of arrays.
      seed: of the order of arrays; None keeps it.
      training: whether fields that only training looks at are needed, and batches must be full.

    Raises:
      UsageError: for a field that is missing or that its check refuses, or for no full batch.
    """
    fields = fields or {}
    if not training:
        fields = {name: field for name, field in fields.items() if not field.training_only}
    if isinstance(x, tf.data.Dataset):
        if batch_size is not None:
            raise UsageError("batch_size must be left out for a pipeline, which has its own.")
        return _checked(x, fields)
    if x is None:
        raise UsageError("x must be an array, a dictionary of arrays or a tf.data.Dataset.")
    arrays = dict(x) if isinstance(x, dict) else {"x": x}
    if "x" not in arrays:
        raise UsageError(f"x must be a key of the dictionary of arrays; it had {sorted(arrays)}.")
    check_x = fields["x"].check if "x" in fields else lambda name, x: check_images(x, None, name)
    arrays["x"] = check_x("x", arrays["x"])
    arrays.pop("index", None)
    if y is not None:
        arrays["y"] = y
    for name in arrays:
        arrays[name] = np.asarray(arrays[name])
        if arrays[name].shape[:1] != (len(arrays["x"]),) or arrays[name].dtype == object:
            raise UsageError(
                f"{name} must hold one number for each of the {len(arrays['x'])} images; "
                f"it was {list(arrays[name].shape)} of {arrays[name].dtype}."
            )
    arrays["index"] = np.arange(len(arrays["x"]), dtype=np.int32)
    for name, field in fields.items():
        if name not in arrays:
            raise UsageError(f"{name} must be given, {field.purpose}; it was missing.")
        if name != "x":
            arrays[name] = field.check(name, arrays[name])
    batch_size = 32 if batch_size is None else batch_size
    check_count(batch_size=batch_size)
    if training and len(arrays["x"]) < batch_size:
        raise UsageError(
            f"x must fill at least one batch of batch_size={batch_size}; it had {len(arrays['x'])}."
        )
    return pipeline(arrays, batch_size, seed=seed, drop_remainder=training)


def as_batch(data) -> dict[str, tf.Tensor]:
    """One element of any accepted pipeline as a new dictionary with `x`."""
    if isinstance(data, dict):
        return dict(data)
    if isinstance(data, (tuple, list)):
        return dict(zip(("x", "y"), data, strict=False))
    return {"x": data}


def _checked(dataset: tf.data.Dataset, fields: dict[str, Field]) -> tf.data.Dataset:
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
        shape = specs[name].shape
        if shape.rank is not None and not shape[1:].is_compatible_with(field.shape):
            raise UsageError(
                f"{name} must have the shape {[None, *field.shape]}; the pipeline's was "
                f"{shape.as_list()}."
            )

    def check(*data):
        batch = as_batch(data if len(data) > 1 else data[0])
        batch["x"] = tf.cast(batch["x"], tf.float32)
        checks = [
            tf.debugging.Assert(field.allows(batch[name]), [_told(name, field)])
            for name, field in fields.items()
        ]
        with tf.control_dependencies(checks):
            return batch | {"x": tf.identity(batch["x"])}

    return dataset.map(check)


def _told(name, field):
    return f"{name} {field.rule}; the pipeline gave others."


@contextlib.contextmanager
def pipeline_errors(fields: dict[str, Field]):
    """Tells what a pipeline met on its way that a field does not allow as a `UsageError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for name, field in fields.items():
            if _told(name, field) in error.message:
                raise UsageError(_told(name, field)) from None
        raise
