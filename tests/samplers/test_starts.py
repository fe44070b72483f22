"""Where chains start that only infer: at finite densities, if a few draws have one."""

import numpy as np
import pytest
import tensorflow as tf

import samplers

SHAPE = (500, 2)


def draw(seed):
    return [samplers.normal([*SHAPE, 3], seed), samplers.normal(SHAPE, samplers.fold_in(seed, 1))]


def density(bad, above):
    """Of a Gaussian, but bad where the second part is large."""

    def log_density(state):
        one, two = state
        regular = -(tf.reduce_sum(one**2, -1) + two**2) / 2
        return tf.where(two > above, tf.constant(bad, one.dtype), regular)

    return log_density


@pytest.mark.parametrize(
    ("bad", "jit_compile"),
    [
        (np.nan, False),
        pytest.param(np.nan, True, marks=pytest.mark.slow),
        (-np.inf, False),
        (np.inf, False),
    ],
)
def test_bad_starts_are_drawn_again(bad, jit_compile):
    """Whole chains, of all parts; the others stay at the first draw; and all are counted."""
    seed = samplers.as_seed(3)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def find():
        return samplers.finite_start(density(bad, 0.5), draw, seed), draw(seed)

    start, first = find()
    one, two = start.state
    np.testing.assert_array_less(two, 0.5001)
    bad = first[1].numpy() > 0.5
    np.testing.assert_allclose(one[~bad], first[0][~bad])
    np.testing.assert_allclose(two[~bad], first[1][~bad])
    assert (one.numpy()[bad] != first[0].numpy()[bad]).all()
    np.testing.assert_array_equal(start.num_restarts.numpy() > 0, bad)
    # Of a share p of draws that are bad, p / (1 - p) are thrown away for each that is kept.
    expected = 0.3085 / 0.6915
    assert abs(start.num_restarts.numpy().mean() - expected) < 4 * (expected / 0.69 / 1000) ** 0.5
    assert not start.is_stuck.numpy().any()


def test_finite_starts_are_the_first_draw():
    start = samplers.finite_start(density(np.nan, np.inf), draw, samplers.as_seed(3))
    for found, expected in zip(start.state, draw(samplers.as_seed(3)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not start.num_restarts.numpy().any()


def test_a_density_that_is_nowhere_finite_ends():
    start = samplers.finite_start(density(np.nan, -np.inf), draw, 0, max_restarts=4)
    assert start.is_stuck.numpy().all() and (start.num_restarts.numpy() == 4).all()
