"""The loop over steps that recurrent layers and models share."""

import numpy as np
import tensorflow as tf

import layers


def test_scan_keeps_outputs_and_the_last_state():
    state, told = layers.scan(
        lambda state, x: (state + x, {"twice": 2 * state}),
        tf.zeros([2]),
        tf.constant([[1.0, 2.0], [3.0, 4.0]]),
        {"twice": tf.zeros([2])},
    )
    np.testing.assert_array_equal(state, [4, 6])
    np.testing.assert_array_equal(told["twice"], [[0, 0], [2, 4]])
