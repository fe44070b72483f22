"""Densities of relaxed bits under priors, against sums over all bits and quadrature."""

import numpy as np
import pytest
import tensorflow as tf
from small_dvaes import DENSITIES, LATENT_DIMS, exact_log_normalizer, perturb, wrong
from small_rbms import enumerated
from tensorflow_probability import distributions as tfd

from zoo.core.checks import UsageError
from zoo.parts import IndependentPrior, rbm_prior
from zoo.parts.relaxations import get_relaxation

NAME = "zoo.parts.rbm_prior"
CONCRETE = get_relaxation({"name": "concrete", "beta": 1.5})


def gaps(part, relaxation):
    """The log of the sum over bits less what the prior makes of it, at random zeta, [20]."""
    relaxation = get_relaxation(relaxation)
    zeta = tf.random.stateless_uniform([20, 1, 8], [0, 0], 0.01, 0.99)
    states, log_density = enumerated(*part.rbm)
    log_prior = log_density - np.logaddexp.reduce(log_density)
    given = [relaxation.log_prob_given_0(z).numpy()[:, 0] for z in (zeta, 1 - zeta)]
    exact = np.logaddexp.reduce(given[0] @ (1 - states.T) + given[1] @ states.T + log_prior, -1)
    return exact - part.relaxed_log_prob(zeta, relaxation).numpy()[:, 0]


def rbm_gaps(module, relaxation, coupling):
    part = perturb(module.RBMPrior(LATENT_DIMS, num_particles=10))
    weights = part.parameters[2]
    weights.assign(coupling * weights)
    part.log_normalizer.assign(exact_log_normalizer(part))
    return gaps(part, relaxation)


@pytest.mark.parametrize("relaxation", DENSITIES, ids=lambda r: r["name"])
def test_an_rbm_bounds_them(relaxation):
    """By mean field; without couplings it is exact."""
    found = rbm_gaps(rbm_prior, relaxation, 1.0)
    assert found.min() > -1e-4
    assert 0.01 < found.max() < 0.5
    assert np.abs(rbm_gaps(rbm_prior, relaxation, 0.0)).max() < 1e-4


@pytest.mark.parametrize(
    "change",
    [
        ("[b + g for", "[b - g for"),
        ("given_0 - samplers", "given_0 + samplers"),
        ("given_0 - samplers.mean", "-samplers.mean"),
        ("*means) - log_normalizer", "*means)"),
        ("*means) - log_normalizer", "*means) + log_normalizer"),
    ],
    ids=["sign of the ratio", "sign of the KL", "no densities", "no log Z", "sign of it"],
)
def test_wrong_bounds_are_rejected(change):
    assert np.abs(rbm_gaps(wrong(NAME, *change), DENSITIES[0], 0.0)).max() > 0.1


@pytest.mark.parametrize("relaxation", DENSITIES, ids=lambda r: r["name"])
def test_independent_bits_are_exact(relaxation):
    part = perturb(IndependentPrior(LATENT_DIMS))
    assert np.abs(gaps(part, relaxation)).max() < 1e-4
    states, log_density = enumerated(*part.rbm)
    log_prob = part.distribution(8).log_prob(tf.constant(states, tf.float32))
    log_normalizer = part.estimate_log_normalizer(0)
    assert log_normalizer.stddev == 0
    np.testing.assert_allclose(log_prob, log_density - log_normalizer.mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(log_normalizer.mean, np.logaddexp.reduce(log_density), rtol=1e-6)


def test_concrete_bits_are_logistic():
    """At the prior's own temperature, as TFP's law of the logit has it."""
    part = perturb(IndependentPrior(LATENT_DIMS, concrete_beta=2.0))
    y = tf.random.stateless_normal([20, 1, 8], [0, 1], stddev=3.0)
    expected = tfd.Logistic(2.0 * part.logits, 2.0).log_prob(y)
    found = part.relaxed_log_prob(y, CONCRETE)
    np.testing.assert_allclose(found, tf.reduce_sum(expected, -1), rtol=1e-4)


def test_an_rbm_has_no_density_of_concrete_bits():
    with pytest.raises(UsageError, match="kl must be 'bits' for an RBM"):
        rbm_prior.RBMPrior(LATENT_DIMS).check_relaxation(CONCRETE)
