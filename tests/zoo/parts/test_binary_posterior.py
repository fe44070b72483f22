"""What directed and undirected posteriors have in common, against sums over all states."""

import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from small_dvaes import BATCH, wrong
from small_posteriors import (
    FEATURES,
    PRIOR,
    STATES,
    directed,
    held,
    largest,
    log_mass,
    pair_features,
    state_numbers,
    undirected,
)
from small_rbms import probabilities

from zoo.parts import directed_posterior, undirected_posterior

MAKERS = {
    "one group": lambda module=directed_posterior: directed(1, module),
    "four groups": lambda module=directed_posterior: directed(4, module),
    "undirected": undirected,
}


def wrong_part(kind, *change):
    """A part of a wrong class."""
    module = undirected_posterior if kind == "undirected" else directed_posterior
    return MAKERS[kind](wrong(module.__name__, *change))


def move_error(part):
    """Of log ratios, and of the exchange of both ends of a move from exact draws."""
    log_q = log_mass(part)
    rng = np.random.default_rng(1)
    draws = [STATES[rng.choice(len(STATES), 8000, p=probabilities(p))] for p in log_q.T]
    z = np.stack(draws, 1).astype("f")
    new, log_ratio = part.move(part(FEATURES), tf.constant(z), 0)
    old, now = (np.take_along_axis(log_q, state_numbers(s), 0) for s in (z, new.numpy()))
    before, after = pair_features(z[..., 2:6]), pair_features(new.numpy()[..., 2:6])
    products = before[..., :, None] * after[..., None, :]
    return largest(log_ratio - (old - now)), largest(
        z_scores(products - np.swapaxes(products, -1, -2), 0)
    )


@pytest.mark.parametrize("kind", MAKERS)
def test_moves_are_reversible(kind):
    error, score = move_error(MAKERS[kind]())
    assert error < 1e-4
    assert score < 4


@pytest.mark.parametrize(
    ("kind", "change", "which"),
    [
        (
            "four groups",
            ("self.log_density(parameters, z) - log_q", "log_q - self.log_density(parameters, z)"),
            0,
        ),
        (
            "undirected",
            (
                "rbm.log_density(z1, z2) - rbm.log_density(new1, new2)",
                "rbm.log_density(new1, new2) - rbm.log_density(z1, z2)",
            ),
            0,
        ),
        ("undirected", ("new2 = bernoulli(rbm.logits2(new1), u)", "new2 = _"), 1),
        ("undirected", ("rbm.logits2(new1), u)", "rbm.logits2(z1), u)"), 1),
    ],
    ids=["ratio flipped", "ratio of RBMs flipped", "two sides of three", "stale side"],
)
def test_wrong_moves_are_rejected(kind, change, which):
    assert move_error(wrong_part(kind, *change))[which] > (0.1, 8)[which]


def held_gradient(part):
    """Largest gradient of the KL in the features where zeta has none."""
    with tf.GradientTape() as tape:
        tape.watch(FEATURES)
        parameters = part(FEATURES)
        draw = part.relaxed(parameters, tf.ones([2, BATCH, 4]), 2, held, 0, "mass")
        value = draw.log_q - PRIOR.log_density(*tf.split(draw.at, 2, -1))
    return largest(tape.gradient(value, FEATURES, unconnected_gradients="zero"))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("four groups", ("held = self._held(zeta, logits)", "held = logits")),
        ("undirected", ("map(tf.stop_gradient, rbm)", "rbm")),
    ],
)
def test_gradients_pass_through_zeta_alone(kind, change):
    assert held_gradient(MAKERS[kind]()) == 0
    assert held_gradient(wrong_part(kind, *change)) > 0.1
