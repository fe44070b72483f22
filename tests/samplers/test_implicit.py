"""Picking one of several chains by its weight."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers

NUM_DRAWS = 20_000
# The last chain must never be picked. The second half of the draws has other weights.
WEIGHTS = np.array([[0.1, 0.2, 0.7, 0.0], [0.55, 0.4, 0.05, 0.0]]).T
PICKS = np.arange(4.0)[:, None] * np.ones(2 * NUM_DRAWS)


def log_weights(offset=0.0):
    """Of four chains for each of 2 NUM_DRAWS draws, neither normalised nor small."""
    with np.errstate(divide="ignore"):
        return tf.constant(np.repeat(np.log(WEIGHTS), NUM_DRAWS, axis=1) + offset)


def z_scores(picked):
    """Of the frequencies of the chains, in both halves of the draws."""
    picked = np.asarray(picked).reshape(2, NUM_DRAWS).T
    found = np.stack([(picked == k).mean(0) for k in range(4)])
    assert (found[3] == 0).all()
    p = WEIGHTS[:3]
    return abs(found[:3] - p) / np.sqrt(p * (1 - p) / NUM_DRAWS)


@pytest.mark.parametrize("offset", [0.0, -800.0, 800.0])
def test_chains_are_picked_by_their_weights(offset):
    assert z_scores(samplers.resample(tf.constant(PICKS), log_weights(offset), 1)).max() < 4


@pytest.mark.parametrize(
    "old, new",
    [
        ("log_weights + gumbel", "tf.where(tf.math.is_inf(log_weights), log_weights, gumbel)"),
        ("log_weights + gumbel", "log_weights - gumbel"),
        ("log_weights + gumbel", "log_weights + 0.9 * gumbel"),
        ("log_weights + gumbel", "log_weights + gumbel[:, :1]"),
        ("log_weights + gumbel", "log_weights[:, :1] + gumbel"),
        ("log_weights + gumbel", "log_weights"),
    ],
)
def test_wrong_picks_are_found_out(old, new):
    wrong = mutant("samplers.implicit", old, new)
    assert z_scores(wrong.resample(tf.constant(PICKS), log_weights(), 1)).max() > 5


def test_all_parts_come_from_the_chain_that_is_picked():
    alone = samplers.resample(tf.constant(PICKS), log_weights(), 1)
    wide = PICKS[..., None, None] + 10 * np.arange(6.0).reshape(2, 3)
    parts = samplers.resample([tf.constant(PICKS, tf.int32), tf.constant(wide)], log_weights(), 1)
    assert isinstance(parts, list) and z_scores(parts[0]).max() < 4
    np.testing.assert_array_equal(parts[0], alone)
    expected = alone[:, None, None] + 10 * np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(parts[1], expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_picked_does_not_leak(value):
    state = np.stack([PICKS, PICKS], axis=-1)
    state[3] = value
    drawn = samplers.resample(tf.constant(state), log_weights(), 1)
    expected = samplers.resample(tf.constant(PICKS), log_weights(), 1)
    np.testing.assert_array_equal(drawn, np.stack([expected, expected], axis=-1))
