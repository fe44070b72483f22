"""One loop over steps whose number is known, which XLA compiles and gradients pass through."""

from collections.abc import Callable

import tensorflow as tf


def scan(step: Callable, state, inputs: tf.Tensor, outputs_like=()) -> tuple:
    """Carries a state through T steps.

    Args:
      step: from the state and one step's inputs [...] to the next state and the step's outputs.
      state: where it starts, a structure of tensors, whose shapes stay.
      inputs: [T, ...], T known.
      outputs_like: tensors of the shapes and types of one step's outputs, and in their structure;
        () where there are none.

    Returns:
      The last state, and the outputs of all steps, [T, ...] each.
    """
    num_steps = inputs.shape[0]
    arrays = tf.nest.map_structure(
        lambda like: tf.TensorArray(like.dtype, num_steps, element_shape=like.shape), outputs_like
    )

    def body(t, state, arrays):
        following, outputs = step(state, inputs[t])
        following = tf.nest.map_structure(
            lambda new, old: tf.ensure_shape(new, old.shape), following, state
        )
        arrays = tf.nest.map_structure(lambda array, one: array.write(t, one), arrays, outputs)
        return t + 1, following, arrays

    _, state, arrays = tf.while_loop(
        lambda t, *_: t < num_steps,
        body,
        (tf.constant(0), state, arrays),
        maximum_iterations=num_steps,
    )
    return state, tf.nest.map_structure(lambda array: array.stack(), arrays)
