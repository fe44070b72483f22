"""The rule by which step sizes follow acceptance."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.parts import AcceptanceStepSize

RULE = {
    "step_size": 0.1,
    "target_accept": 0.6,
    "adaptation_rate": 0.02,
    "min_step_size": 0.05,
    "max_step_size": 0.101,
}


def test_each_step_size_follows_its_own_acceptance():
    part = AcceptanceStepSize(**RULE, shape=(3,))
    np.testing.assert_allclose(part.value, 0.1)
    ((variable, value),) = part.next_state(tf.constant([0.59, 0.61, 0.2]))
    assert variable is part.value
    np.testing.assert_allclose(value, [0.098, 0.101, 0.098], rtol=1e-6)  # the second at its bound
    one = AcceptanceStepSize(**RULE)
    for _ in range(60):
        for variable, value in one.next_state(tf.constant(0.0)):
            variable.assign(value)
    np.testing.assert_allclose(one.value, 0.05)


def test_one_of_no_shape_has_no_numbers():
    part = AcceptanceStepSize(**RULE, shape=(0,))
    assert part.value.shape == part.next_state(tf.zeros([0]))[0][1].shape == (0,)


def test_mistakes_are_told():
    for message, arguments in {
        "target_accept must be less than 1; it was 1.5": {"target_accept": 1.5},
        "adaptation_rate must be greater than 0": {"adaptation_rate": 0},
        "step_size must be from min_step_size, 0.05, to max_step_size": {"step_size": 0.5},
        "min_step_size must be greater than 0": {"min_step_size": -1.0},
    }.items():
        with pytest.raises(UsageError, match=message):
            AcceptanceStepSize(**RULE | arguments)
