"""Directed posteriors over bits against the enumeration of all states, for three images."""

import numpy as np
import pytest
import tensorflow as tf
from checking import moments, z_scores
from small_dvaes import wrong
from small_posteriors import (
    FEATURES,
    PRIOR,
    PRIOR_DENSITY,
    PWL,
    STATES,
    directed,
    directed_log_mass,
    hard,
    kl,
    largest,
    moments_of,
    state_numbers,
    terms,
)

import samplers
from zoo.parts import directed_posterior

NAME = directed_posterior.__name__


def draws_error(module, num_groups):
    """Largest errors of log q, and of moments of draws in standard errors."""
    part = directed(num_groups, module)
    log_q = directed_log_mass(part, FEATURES)
    draw = part.propose(FEATURES, 10_000, 1)
    error = draw.log_q - np.take_along_axis(log_q, state_numbers(draw.z), 0)
    exact = np.einsum("nb,nk->bk", np.exp(log_q), moments(STATES))
    return largest(error), largest(z_scores(moments_of(draw.z), exact))


@pytest.mark.parametrize("num_groups", [1, 2, 4])
def test_draws(num_groups):
    error, score = draws_error(directed_posterior, num_groups)
    assert error < 1e-4
    assert score < 4


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (("z * logits - tf.math.softplus", "z * logits + tf.math.softplus"), 0),
        (("tf.concat(above, -1)", "tf.concat([above[0], *map(tf.zeros_like, above[1:])], -1)"), 1),
        (("tf.concat(above, -1)", "tf.concat([above[0], *above[:0:-1]], -1)"), 1),
        (("samplers.fold_in(seed, i)", "samplers.fold_in(seed, 0)"), 1),
    ],
    ids=["sign", "groups alone", "groups in reverse order", "one noise for all groups"],
)
def test_wrong_draws_are_rejected(change, which):
    assert draws_error(wrong(NAME, *change), 4)[which] > (0.1, 8)[which]


@pytest.mark.parametrize(
    ("num_groups", "form"),
    [(1, "mass"), (2, "mass"), (2, "expectation"), (4, "mass"), (4, "expectation")],
)
def test_kl_at_bits(num_groups, form):
    """Where the relaxed draw is one of bits, the KL is unbiased for any groups."""
    part = directed(num_groups)
    draw = part.relaxed(FEATURES, None, 20_000, hard, 0, form)
    exact = kl(directed_log_mass(part, FEATURES))
    assert largest(z_scores(terms(draw), exact)) < 4


def closed_form_error(module):
    """Of the KL of one group, which no draw enters, and of its gradient."""
    part = directed(1, module)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(FEATURES)
        draw = part.relaxed(FEATURES, None, 2, PWL, 0, "expectation")
        found = (draw.log_q - PRIOR.log_density(*tf.split(draw.at, 2, -1)))[0]
        logits = part.heads[0](FEATURES)
        z = tf.constant(STATES[:, None], tf.float32)
        log_q = tf.reduce_sum(z * logits - tf.math.softplus(logits), -1)
        exact = tf.reduce_sum(tf.exp(log_q) * (log_q - PRIOR_DENSITY[:, None].astype("f")), 0)
    np.testing.assert_allclose(log_q, directed_log_mass(part, FEATURES), atol=1e-4)
    gradients = [
        tape.gradient(value, FEATURES, unconnected_gradients="zero") for value in (found, exact)
    ]
    return largest(found - exact), largest(gradients[0] - gradients[1])


def test_kl_in_closed_form():
    """Of one group it is exact, value and gradient."""
    assert max(closed_form_error(directed_posterior)) < 1e-4


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (("(mean * held + tf.math", "(-mean * held - tf.math"), 0),
        (
            (
                "(mean * held + tf.math.log_sigmoid(-held)",
                "(-tf.math.log_sigmoid(held)",
            ),
            0,
        ),
        (("mean = tf.sigmoid(logits)", "mean = tf.sigmoid(held)"), 1),
    ],
    ids=["sign of the entropy", "cross-entropy", "held probabilities"],
)
def test_wrong_kls_are_rejected(change, which):
    assert closed_form_error(wrong(NAME, *change))[which] > 0.01


@pytest.mark.parametrize("num_groups", [2, 4])
def test_kl_of_relaxed_groups(num_groups):
    """Later groups see numbers instead of bits: only near, and the nearer the steeper it is."""
    part = directed(num_groups)
    exact = kl(directed_log_mass(part, FEATURES))
    found = [
        terms(
            part.relaxed(FEATURES, None, 20_000, samplers.PiecewiseLinear(beta), 0, "expectation")
        ).mean(0)
        for beta in (4.0, 40.0)
    ]
    np.testing.assert_allclose(found[0], exact, rtol=0.15)
    np.testing.assert_allclose(found[1], exact, rtol=0.03)
