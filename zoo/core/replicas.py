"""What a strategy of `tf.distribute` says of this process, and a replica's share of a batch."""

from typing import NamedTuple

import tensorflow as tf


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether the replicas of a strategy are in several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def takes_several_steps(strategy: tf.distribute.Strategy) -> bool:
    """Whether one call of a compiled program can be several steps: not on replicas of a process."""
    return strategy.num_replicas_in_sync == 1 or is_multi_worker(strategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: the first worker, or the only process."""
    return not is_multi_worker(strategy) or strategy.cluster_resolver.task_id == 0


def sum_over_replicas(values: list[tf.Tensor], strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
    """Sums what all replicas have, asked on each of them.

    Args:
      values: of this replica.
      strategy: whose replicas have the others.

    Returns:
      The sums.
    """
    if strategy.num_replicas_in_sync == 1:
        return values
    if is_multi_worker(strategy):
        with tf.device("CPU:0"):  # workers cannot sum what has no place
            values = [tf.identity(value) for value in values]
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


class Share(NamedTuple):
    """What one replica has of a batch.

    Attributes:
      batch: the fields of its examples. Where it has none, which happens where a batch has fewer
        than there are replicas, of one that is made up and counts nothing.
      num_examples: how many it has.
      weight: that number, as a share of all replicas' examples.
    """

    batch: dict[str, tf.Tensor]
    num_examples: tf.Tensor
    weight: tf.Tensor | float

    def counted(self, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Leaves out what was computed of an example that is made up, from [B, ...] each."""
        return {k: v[: self.num_examples] if v.shape.rank else v for k, v in values.items()}


def share_of(batch: dict[str, tf.Tensor], strategy: tf.distribute.Strategy) -> Share:
    """The share of a batch that this replica has.

    Args:
      batch: its fields, by name.
      strategy: whose replicas have the others.

    Returns:
      The share, whose batch has at least one example.
    """
    num_examples = tf.shape(batch["x"])[0]
    if strategy.num_replicas_in_sync == 1:
        return Share(batch, num_examples, 1.0)
    missing = tf.cast(num_examples == 0, tf.int32)
    padded = {
        name: tf.pad(values, [[0, missing], *[[0, 0]] * (values.shape.rank - 1)])
        for name, values in batch.items()
        if values.shape.rank
    }
    count = tf.cast(num_examples, tf.float32)
    (total,) = sum_over_replicas([count], strategy)
    return Share(batch | padded, num_examples, tf.math.divide_no_nan(count, total))
