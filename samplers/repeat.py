"""A loop that a gradient tape can record, in the memory of all its steps or of their states."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from samplers.density import with_shapes_of


def repeat(
    step: Callable,
    state,
    num_steps: int | tf.Tensor,
    *,
    context=(),
    max_num_steps: int | None = None,
    recompute: bool = False,
):
    """Repeats state <- step(i, state, context), i = 0 ... num_steps - 1, in one `tf.while_loop`.

    Recorded as it is, a loop keeps whatever its steps compute. With `recompute` it keeps their
    states alone and computes each step once more for its gradient, as `tf.recompute_grad` does for
    a single function; then gradients reach the state, the context and variables, but no other
    tensor that the step has from outside.

    Args:
      step: maps i, a state and the context to the next state, of the same structure and shapes.
      state: at the start, a structure of floating tensors.
      num_steps: how often; 0 gives the state back.
      context: a structure of tensors that all steps take.
      max_num_steps: bound on `num_steps`, without which XLA cannot differentiate a loop as it is.
        Give it for that alone: XLA compiles a bounded loop to other code, whose last bits differ.
      recompute: whether steps are computed once more for the gradient, where a tape records when
        this is called; elsewhere nothing is kept.

    Returns:
      The last state.
    """
    if isinstance(num_steps, int | np.integer) and num_steps == 0:
        return state
    if recompute and record.could_possibly_record():
        return _recomputed(step, state, num_steps, context)
    return _loop(step, state, num_steps, context, max_num_steps)


def _loop(step, state, num_steps, context, max_num_steps=None):
    return tf.while_loop(
        lambda i, _: i < num_steps,
        lambda i, state: (i + 1, with_shapes_of(step(i, state, context), state)),
        (0, state),
        parallel_iterations=1,
        maximum_iterations=max_num_steps,
    )[1]


def _recomputed(step, state, num_steps, context):
    size = len(tf.nest.flatten(state))

    def unflattened(tensors):
        packed = (tensors[:size], state), (tensors[size:], context)
        return [tf.nest.pack_sequence_as(like, list(flat)) for flat, like in packed]

    @tf.custom_gradient
    def run(*inputs):
        def kept(i, carried, context):
            state, states = carried
            flat = tf.nest.flatten(state)
            states = [a.write(i, value) for a, value in zip(states, flat, strict=True)]
            return with_shapes_of(step(i, state, context), state), states

        # The name keeps TensorFlow from wrapping the loop in a function of such a name, which a
        # persistent tape would record.
        def cflow_gradient_wrapper(*inputs):
            states = [
                tf.TensorArray(value.dtype, num_steps, element_shape=value.shape)
                for value in inputs[:size]
            ]
            start, context = unflattened(inputs)
            end, states = _loop(kept, (start, states), num_steps, context)
            return tf.nest.flatten(end), [array.stack() for array in states]

        # A custom gradient does not stop tapes. What does would stop those of the steps, too,
        # unless they are traced before.
        forward = tf.function(cflow_gradient_wrapper, autograph=False)
        forward = forward.get_concrete_function(*inputs)
        with record.stop_recording():
            end, states = forward(*inputs)

        def gradient(*upstream, variables=None):
            watched = list(variables or [])

            def back(i, gradients, context):
                of_state, of_others = gradients
                at = num_steps - 1 - i
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    inputs = [tf.identity(values[at]) for values in states]
                    inputs += map(tf.identity, tf.nest.flatten(context))
                    tape.watch(inputs)
                    tape.watch(watched)
                    ends = tf.nest.flatten(step(at, *unflattened(inputs)))
                found = tape.gradient(
                    ends, [*inputs, *watched], of_state, unconnected_gradients="zero"
                )
                found = [tf.convert_to_tensor(gradient) for gradient in found]
                added = [a + b for a, b in zip(of_others, found[size:], strict=True)]
                return found[:size], added

            others = [*inputs[size:], *watched]
            start = list(upstream), [tf.zeros_like(value) for value in others]
            of_state, of_others = _loop(back, start, num_steps, context)
            num_inputs = len(inputs) - size
            of_inputs = (*of_state, *of_others[:num_inputs])
            return of_inputs if variables is None else (of_inputs, of_others[num_inputs:])

        return end, gradient

    inputs = [tf.convert_to_tensor(v) for v in tf.nest.flatten((state, context))]
    return tf.nest.pack_sequence_as(state, list(run(*inputs)))
