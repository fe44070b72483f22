"""The means that steps report: over examples, whatever a name's first step was."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.core.means import Means


def test_means_are_over_examples():
    means = Means()
    means.update_state({"a": tf.constant([1.0, 2.0]), "b": tf.constant(3)}, 2)
    means.update_state({"a": tf.constant([6.0]), "b": tf.constant(6.0)}, 1)
    means.update_state({"a": tf.zeros([0]), "b": tf.constant(np.nan)}, 0)
    assert {name: float(value) for name, value in means.result().items()} == {"a": 3, "b": 4}
    assert float(means.count_of("a")) == float(means.count_of("b")) == means.num_examples == 3
    means.reset_state()
    assert {float(value) for value in means.result().values()} == {0}


def test_a_new_name_is_no_new_trace():
    """Keras makes the variables of a metric when it is made, which a trace may not."""
    means, traces = Means(), []

    @tf.function
    def step(value):
        traces.append(1)
        means.update_state({"new": value}, 1)
        return means.count_of("new"), means.result()["new"]

    counts, results = zip(
        *(step(tf.constant(value)) for value in ([1.0], [2.0], [6.0])), strict=True
    )
    assert len(traces) == 1
    np.testing.assert_allclose(counts, [1, 2, 3])
    np.testing.assert_allclose(results, [1, 1.5, 3])


def test_too_many_names_are_told():
    with pytest.raises(ValueError, match="at most 64 names"):
        Means().update_state({str(k): tf.zeros([]) for k in range(65)}, 1)
