"""Input pipelines: batches of checked fields, in an order that is a function of (seed, epoch)."""

import functools

import numpy as np
import tensorflow as tf

import samplers
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
    fields: dict[str, Field] | None = None,
    seed: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Makes batches of arrays that share their first axis.

    Args:
      arrays: by name, each [N, ...].
      batch_size: examples in a batch.
      fields: those that decode what their arrays keep, by name.
      seed: of the order, shuffled anew for every epoch; None keeps the order. Where labels `y` are
        there of a part of the examples, every batch then holds its share of these.
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
    labelled = np.asarray(arrays.get("y", -1)) >= 0

    def order(_):
        index = tf.range(size)
        if seed is not None:
            key = samplers.fold_in(seed, "order", epoch)
            index = tf.random.experimental.stateless_shuffle(index, key)
            if 0 < labelled.sum() < size:
                kept = num_batches * batch_size / size if drop_remainder else 1.0
                index = _interleaved(index, tf.gather(tf.constant(labelled), index), kept)
        return tf.data.Dataset.from_tensor_slices(index)

    def gather(index):
        batch = {name: tf.gather(stored, index) for name, stored in tensors.items()}
        decoded = {name: field.decode(batch[name]) for name, field in (fields or {}).items()}
        return {"index": index} | batch | decoded

    options = tf.data.Options()
    # Every worker takes its part of each batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # It has nothing to tune here, and every epoch would wait for its thread to end.
    options.autotune.enabled = False
    return (
        tf.data.Dataset.range(1)
        .flat_map(order)
        .batch(batch_size, drop_remainder=drop_remainder)
        .map(gather)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(2)
        .with_options(options)
    )


def num_batches(data) -> int | None:
    """Those of an epoch; None where it is not known, as of a generator."""
    known = isinstance(data, tf.data.Dataset) and data.cardinality() > 0
    return int(data.cardinality()) if known else None


def _interleaved(index, labelled, kept):
    """The same order of either kind, each spread evenly; the labelled ones over what is kept."""
    positions = tf.zeros_like(index, tf.float64)
    for kind, share in ((labelled, kept), (~labelled, 1.0)):
        rank = tf.cumsum(tf.cast(kind, tf.float64))
        positions = tf.where(kind, share * (rank - 0.5) / rank[-1], positions)
    return tf.gather(index, tf.argsort(positions, stable=True))
