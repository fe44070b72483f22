"""Particle filters, and importance sampling of paths, on a hidden Markov chain of three states."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers

TRANSITION = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
SEEN = np.array(
    [[0.9, 0.3, 0.05], [0.1, 0.4, 0.9], [0.8, 0.1, 0.3], [0.05, 0.9, 0.4]]
)  # p(x_t | z)


def forward():
    """p(x_1, ..., x_t) of each t, from state 0."""
    state, found = np.eye(3)[0], []
    for seen in SEEN:
        state = (state @ TRANSITION) * seen
        found.append(state.sum())
    return np.array(found)


def step(state, seen, seed):
    """Draws by the chain itself."""
    (z,) = state
    gumbel = -tf.math.log(-tf.math.log(samplers.uniform([*z.shape[:2], 3], seed, tf.float64)))
    z = tf.argmax(z @ tf.constant(np.log(TRANSITION)) + gumbel, -1)
    z = tf.one_hot(z, 3, dtype=tf.float64)
    return [z], tf.math.log(tf.linalg.matvec(z, seen))


def deviation(module, threshold, run=lambda f: f()):
    """Of the mean of many small filters from the forward recursion, in standard errors, [T]."""
    start = tf.one_hot(tf.zeros([4, 20_000], tf.int32), 3, dtype=tf.float64)
    found = run(
        lambda: module.particle_filter(
            step, [start], tf.constant(SEEN), threshold=threshold, seed=samplers.as_seed(0)
        )
    )
    last = samplers.log_mean_exp(found.log_weights)
    np.testing.assert_allclose(last, tf.reduce_sum(found.increments, 0), atol=1e-10)
    ratio = np.exp(np.cumsum(found.increments, 0)) / forward()[:, None]
    return np.abs(ratio.mean(1) - 1) / samplers.standard_error(ratio, 1)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.1])
def test_estimates_are_right_on_average(threshold):
    assert deviation(samplers, threshold).max() < 4.5


def test_compiled():
    run = tf.function(autograph=False, jit_compile=True)
    assert deviation(samplers, 0.5, lambda f: run(lambda: f())()).max() < 4.5


WRONG = {
    "weights kept when drawn again": (
        "tf.where(again, tf.zeros_like(relative), relative)",
        "relative",
    ),
    "nobody drawn again": (
        "tf.where(again, drawn, tf.range",
        "tf.where(again & False, drawn, tf.range",
    ),
    "one draw for all steps": ('fold_in(seed, "step", t)', 'fold_in(seed, "step")'),
    "weights lost": ("relative += added", "relative = added"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_filters_are_rejected(change):
    module = mutant("samplers.particle_filter", *change)
    assert not max(deviation(module, threshold).max() for threshold in (0.5, 1.1)) < 4.5


def test_drawing_again_keeps_particles_alike():
    """Importance sampling keeps its first weights; a filter's are never far from equal."""
    start = tf.one_hot(tf.zeros([50, 100], tf.int32), 3, dtype=tf.float64)
    sizes = [
        samplers.particle_filter(
            step, [start], tf.constant(SEEN), threshold=threshold, seed=0
        ).effective_sample_size
        for threshold in (0.0, 0.9)
    ]
    assert np.mean(sizes[0][-1]) < np.mean(sizes[1][-1])
