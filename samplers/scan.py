"""A loop over steps that takes inputs and gives outputs, such as a pass over sequences."""

from collections.abc import Callable

import tensorflow as tf

from samplers.density import with_shapes_of


def scan(step: Callable, state, inputs, outputs):
    """Repeats state, outputs_t <- step(state, inputs_t), t = 0 ... T - 1, in one `tf.while_loop`.

    Unlike `tf.scan` it keeps the last state alone, and gives whatever a step tells besides.

    Args:
      step: maps the state and the inputs of a step to the next state, of the same structure and
        shapes, and the outputs of the step.
      state: at the start, a structure of tensors.
      inputs: of all steps, a structure of tensors [T, ...], with T known and at least 1.
      outputs: a structure of tensors of the types and shapes of the outputs of one step, whose
        values do not matter.

    Returns:
      The last state, and the outputs of all steps, [T, ...] each.
    """
    num_steps = tf.nest.flatten(inputs)[0].shape[0]
    flat = tf.nest.flatten(outputs)
    arrays = [tf.TensorArray(v.dtype, num_steps, element_shape=v.shape) for v in flat]

    def body(t, state, arrays):
        new, told = step(state, tf.nest.map_structure(lambda values: values[t], inputs))
        told = tf.nest.flatten(with_shapes_of(told, outputs))
        arrays = [array.write(t, value) for array, value in zip(arrays, told, strict=True)]
        return t + 1, with_shapes_of(new, state), arrays

    # The bound is what XLA needs to differentiate the loop.
    _, state, arrays = tf.while_loop(
        lambda t, *_: t < num_steps,
        body,
        (0, state, arrays),
        parallel_iterations=1,
        maximum_iterations=num_steps,
    )
    return state, tf.nest.pack_sequence_as(outputs, [array.stack() for array in arrays])
