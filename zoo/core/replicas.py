"""What a strategy of `tf.distribute` says of this process."""

import tensorflow as tf


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether the replicas of a strategy are in several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: the first worker, or the only process."""
    return not is_multi_worker(strategy) or strategy.cluster_resolver.task_id == 0
