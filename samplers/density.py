"""What every sampler does with a log density: its gradient, and sums over the event axes."""

from collections.abc import Callable

import tensorflow as tf

# A log density maps a state (a tensor, or a list of tensors) to one number in nats per chain.
LogDensity = Callable[..., tf.Tensor]


def value_and_gradient(log_density: LogDensity, state):
    """Evaluates the log density of every chain and its gradient with respect to the state.

    The chains' values are summed before differentiation, so they must not depend on each other.

    Args:
      log_density: maps the state to log densities in nats, [chains].
      state: [chains, ...event], or a list of such parts.

    Returns:
      The log densities, [chains], and the gradient, in the structure of `state`.
    """
    # A tensor of our own, since TFP's bijectors remember what they did to a tensor: the caller's
    # would meet results from off its tape again, which carry no gradient.
    state = tf.nest.map_structure(tf.identity, state)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(state)
        value = log_density(state)
    return value, tape.gradient(value, state, unconnected_gradients="zero")


def per_chain(value: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
    """Appends axes of length one to a value of every chain, so that it broadcasts against a part.

    Args:
      value: [chains].
      part: a part of the state, [chains, ...event].

    Returns:
      The value, [chains, 1, ...].
    """
    missing = part.shape.rank - value.shape.rank
    return tf.reshape(value, tf.concat([tf.shape(value), tf.ones([missing], tf.int32)], 0))


def event_sum(state, num_chain_axes: int) -> tf.Tensor:
    """Sums over every axis after the chains' own, and over the parts of the state.

    Args:
      state: [chains, ...event], or a list of such parts.
      num_chain_axes: number of axes of the chains.

    Returns:
      The sums, [chains].
    """
    parts = tf.nest.flatten(state)
    return tf.add_n([tf.reduce_sum(p, tf.range(num_chain_axes, p.shape.rank)) for p in parts])


def for_each_part(value, state):
    """Gives every part of a state its value.

    Args:
      value: a list with one value for each part, or one value for all of them.
      state: a tensor, or a list of parts.

    Returns:
      The values in the structure of `state`.
    """
    parts = tf.nest.flatten(state)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * len(parts)
    return tf.nest.pack_sequence_as(state, values)


def with_shapes_of(new, old):
    """Restores static shapes that a kernel may have lost, for loops insist on them.

    Args:
      new: a structure of tensors.
      old: the same structure, with the shapes that are known.

    Returns:
      `new` with the static shapes of `old`.
    """
    return tf.nest.map_structure(
        lambda n, o: tf.ensure_shape(n, o.shape) if tf.is_tensor(n) else n, new, old
    )
