"""A loop whose steps are computed once more gives what the loop gives, and its gradients."""

import numpy as np
import pytest
import tensorflow as tf

import samplers

FACTOR = tf.Variable(0.3, dtype=tf.float64)


def gradients(recompute, num_steps, persistent=False):
    """Of the last state, with respect to the first, the context and a variable."""
    start, context = tf.constant([0.4, -0.2], tf.float64), tf.constant(0.7, tf.float64)

    def log_density(z):
        return -tf.reduce_sum(FACTOR * z**4 + tf.cos(z))

    def step(i, state, scale):
        z, total = state
        # A gradient inside, as in a leapfrog step.
        _, gradient = samplers.value_and_gradient(log_density, z)
        z = z + scale * gradient / (1 + tf.cast(i, z.dtype))
        return z, total + tf.reduce_sum(FACTOR * z)

    with tf.GradientTape(persistent=persistent) as tape:
        tape.watch([start, context])
        z, total = samplers.repeat(
            step,
            (start, tf.zeros([], tf.float64)),
            num_steps,
            context=context,
            max_num_steps=5,
            recompute=recompute,
        )
        value = tf.reduce_sum(z**2) + total
    return value, *tape.gradient(value, [start, context, FACTOR])


@pytest.mark.parametrize("num_steps", [0, 5, tf.constant(4)], ids=["none", "5", "of a tensor"])
def test_a_loop_computed_once_more_has_the_same_gradients(num_steps):
    compiled = tf.function(
        lambda recompute, n: gradients(recompute, n, persistent=True),
        jit_compile=True,
        autograph=False,
    )
    traced = tf.function(gradients, autograph=False)
    plain = gradients(False, num_steps)
    for run in (gradients, traced, compiled):
        for kept, again in zip(plain, run(True, num_steps), strict=True):
            if kept is None:  # without a step nothing depends on it
                assert again is None
            else:
                np.testing.assert_allclose(again, kept, rtol=1e-12)


def test_gradients_are_right():
    """By finite differences of the variable."""
    found = gradients(True, 5)[3]
    ends, h = [], 1e-5
    for sign in (1, -1):
        FACTOR.assign_add(sign * h)
        ends.append(gradients(True, 5)[0])
        FACTOR.assign_sub(sign * h)
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * h), rtol=1e-8)


def test_only_states_are_kept():
    """The program's loops carry no other tensor from step to step."""

    def step(i, state, _):
        hidden = tf.tanh(state[..., None] * tf.linspace(0.0, 1.0, 1000))  # large
        return tf.reduce_mean(hidden, -1)

    def run(state, recompute):
        with tf.GradientTape() as tape:
            tape.watch(state)
            end = samplers.repeat(step, state, 5, max_num_steps=5, recompute=recompute)
        return tape.gradient(end, state)

    def largest(recompute):
        traced = tf.function(lambda z: run(z, recompute), autograph=False)
        graph = traced.get_concrete_function(tf.TensorSpec([7])).graph
        loops = [op for op in graph.get_operations() if "While" in op.type]
        # What a loop keeps of each step is a list of tensors, a variant.
        return sum(len([t for t in op.outputs if t.dtype == tf.variant]) for op in loops)

    assert largest(True) == 0 < largest(False)
