"""Chains that are kept by the example's number."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.parts import PersistentChains


def test_rows_are_those_of_the_examples():
    start = np.arange(12.0, dtype="f").reshape(4, 3)
    part = PersistentChains(tf.constant(start))
    assert part.field.num_examples == 4 and part.field.training_only
    index = tf.constant([2, 0])
    np.testing.assert_array_equal(part.at(index), start[[2, 0]])
    ((variable, value),) = part.next_state(index, -part.at(index))
    assert variable is part.states
    np.testing.assert_array_equal(value, start * np.array([-1, 1, -1, 1])[:, None])
    np.testing.assert_array_equal(part.states, start)  # nothing is written by asking


def test_there_is_a_chain():
    with pytest.raises(UsageError, match="num_examples must be greater than 0"):
        PersistentChains(tf.zeros([0, 3]))


def test_states_are_read_by_their_name_and_by_the_number_that_keras_gave():
    part, store = PersistentChains(tf.ones([2, 1])), {}
    part.save_own_variables(store)
    (written,) = store.values()
    for name in (*store, "0"):
        other = PersistentChains(tf.zeros([2, 1]))
        other.load_own_variables({name: written})
        np.testing.assert_array_equal(other.states, part.states)
