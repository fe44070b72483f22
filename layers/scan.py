"""One loop over steps whose number is known, which XLA compiles and gradients pass through."""

from collections.abc import Callable

import tensorflow as tf


def scan(step: Callable, state, inputs, outputs_like=()) -> tuple:
    """Carries a state through T steps, in one `tf.while_loop`.

    Unlike `tf.scan` it keeps the last state alone, and gives whatever a step tells besides.

    Args:
      step: from the state and one step's inputs to the next state, of the same structure and
        shapes, and the step's outputs.
      state: where it starts, a structure of tensors.
      inputs: of all steps, a structure of tensors [T, ...], T known and at least 1.
      outputs_like: tensors of the shapes and types of one step's outputs, and in their structure;
        () where there are none.

    Returns:
      The last state, and the outputs of all steps, [T, ...] each.
    """
    num_steps = tf.nest.flatten(inputs)[0].shape[0]
    arrays = [
        tf.TensorArray(like.dtype, num_steps, element_shape=like.shape)
        for like in tf.nest.flatten(outputs_like)
    ]

    def body(t, state, arrays):
        following, outputs = step(state, tf.nest.map_structure(lambda all_: all_[t], inputs))
        following = tf.nest.map_structure(
            lambda new, old: tf.ensure_shape(new, old.shape), following, state
        )
        pairs = zip(arrays, tf.nest.flatten(outputs), strict=True)
        return t + 1, following, [array.write(t, one) for array, one in pairs]

    # The bound is what XLA needs to differentiate the loop.
    _, state, arrays = tf.while_loop(
        lambda t, *_: t < num_steps,
        body,
        (0, state, arrays),
        parallel_iterations=1,
        maximum_iterations=num_steps,
    )
    return state, tf.nest.pack_sequence_as(outputs_like, [array.stack() for array in arrays])
