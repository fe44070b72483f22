"""Lets a network that sees `[N, ...]` work on latents with several leading axes."""

import tensorflow as tf


def fold(network, z: tf.Tensor, num_event_axes: int = 1) -> tf.Tensor:
    """Merges the leading axes of `z`, calls `network`, and restores them.

    The outputs have the type of `z`, whatever the network computes in.

    Args:
      network: a Keras model or layer, from [N, ...event] to [N, ...outputs].
      z: [..., ...event], for instance samples and batch before the event.
      num_event_axes: how many of the last axes are the event's.
    """
    split = z.shape.rank - num_event_axes
    if split == 1:  # without a reshape, which XLA cannot differentiate in loops
        return tf.cast(network(z), z.dtype)
    outputs = tf.cast(network(tf.reshape(z, [-1, *z.shape[split:]])), z.dtype)
    shape = tf.concat([tf.shape(z)[:split], tf.shape(outputs)[1:]], 0)
    return tf.ensure_shape(tf.reshape(outputs, shape), [*z.shape[:split], *outputs.shape[1:]])
