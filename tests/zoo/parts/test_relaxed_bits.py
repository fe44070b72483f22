"""Divergences by relaxed bits (DVAE++ and Concrete), against quadrature and sums over bits."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from small_dvaes import images, log_joint, small
from small_posteriors import (
    FEATURES,
    PRIOR_DENSITY,
    directed,
    directed_log_mass,
    kl,
    largest,
    terms,
)
from small_posteriors import PRIOR as STATES_PRIOR

import samplers
from samplers import relaxations
from zoo.parts import DirectedPosterior, IndependentPrior

PRIOR = samplers.RBM(tf.constant([0.4]), tf.constant([-0.7]), tf.constant([[2.5]]))  # 1 + 1 bits
NUM_DRAWS = 100_000


def chain(first, second):
    """A posterior of two bits without features: logits of z1, and of z2 given zeta1."""
    part = DirectedPosterior((1, 1), num_groups=2)
    part.build((None, 1))
    for head, values in zip(part.heads, (first, second), strict=True):
        head.set_weights([np.reshape([0.0, *values[1:]], (-1, 1)), np.array(values[:1])])
    return part


def log_prior(rbm, draw):
    """Its log density up to log Z, [S, B], couplings at what was seen, and biases at means."""
    biases = tf.concat([rbm.bias1, rbm.bias2], -1)
    log_density = rbm.log_density(*tf.split(draw.at, 2, -1))
    return log_density + tf.linalg.matvec(draw.mean - draw.at, biases)


# DVAE++.


def exact_chain(first, second, beta, num_points=4000):
    """KL of bits of `chain`, z1, zeta1 and z2, by the midpoint rule over zeta1, float64."""
    relax = samplers.Exponential(beta)
    zeta = tf.constant((np.arange(num_points) + 0.5) / num_points)
    bias1, bias2, weights = (tf.cast(tf.reshape(p, []), tf.float64) for p in PRIOR)
    log_z = tf.cast(samplers.exact_log_normalizer(PRIOR), tf.float64)
    bits = tf.constant([0.0, 1.0], tf.float64)

    def log_mass(logit, z):
        return z * logit - tf.math.softplus(logit)

    total = 0.0
    for z1 in (0.0, 1.0):
        r = tf.exp(relax.log_prob_given_0(1 - zeta if z1 else zeta))
        log_q2 = log_mass((second[0] + second[1] * zeta)[:, None], bits)
        log_p = bias1 * z1 + bias2 * bits + weights * z1 * bits - log_z
        log_q1 = log_mass(first, tf.constant(z1, tf.float64))
        inner = tf.reduce_sum(tf.exp(log_q2) * (log_q1 + log_q2 - log_p), -1)
        total += tf.exp(log_q1) * tf.reduce_mean(r * inner)
    return total


def chain_errors(module, beta=3.0):
    """Of the estimated KL of bits, and of its gradient, in standard errors."""
    first, second = tf.constant(0.8, tf.float64), tf.constant([-1.0, 2.0], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((first, second))
        exact = exact_chain(first, second, beta)
    expected = np.r_[tape.gradient(exact, first), tape.gradient(exact, second)]
    part = chain([0.8], [-1.0, 2.0])
    log_z = samplers.exact_log_normalizer(PRIOR)
    kernels = [part.heads[0].bias, part.heads[1].bias, part.heads[1].kernel]
    values, gradients = [], []
    for seed in range(20):
        with tf.GradientTape() as tape:
            draw = part.relaxed(
                tf.zeros([1, 1]),
                None,
                NUM_DRAWS // 20,
                module.Exponential(beta),
                seed,
                "expectation",
            )
            log_p = log_prior(PRIOR, draw) - log_z
            value = draw.log_q - log_p
            mean = tf.reduce_mean(value)
        values.append(value[:, 0])
        found = tape.gradient(mean, kernels)
        gradients.append([found[0][0], found[1][0], found[2][1, 0]])
    return (
        largest(z_scores(np.concatenate(values)[:, None], float(exact))),
        largest(z_scores(np.array(gradients), expected)),
    )


def test_kl_of_overlapping_groups():
    """The second bit has seen zeta, which tells of the first what the prior's coupling needs."""
    value, gradient = chain_errors(relaxations)
    assert value < 4
    assert gradient < 5  # of twenty means


SEEN = "tf.sigmoid(self._posterior_logits(zeta, logits))"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["zeta", "tf.sigmoid(logits)", f"1 - {SEEN}"])
def test_wrong_bits_seen_are_rejected(wrong):
    assert chain_errors(mutant(relaxations.__name__, SEEN, wrong))[0] > 8


def ancestral(part, features, beta, num_draws):
    """Draws of bits, group after group, each of which zeta of those before leads to: log q less the
    log of `small_posteriors.PRIOR`, of one image, in NumPy.
    """
    rng = np.random.default_rng(0)
    seen = np.tile(features, (num_draws, 1))
    bits, log_q = np.zeros((num_draws, 0)), 0
    for head in part.heads:
        kernel, bias = head.get_weights()
        logits = seen @ kernel + bias
        z = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
        log_q = log_q + (z * logits - np.logaddexp(0, logits)).sum(-1)
        zeta = -np.log1p(rng.random(z.shape) * np.expm1(-beta)) / beta
        seen = np.concatenate([seen, np.where(z, 1 - zeta, zeta)], 1)
        bits = np.concatenate([bits, z], 1)
    place = bits.astype(int) @ 2 ** np.arange(8)[::-1]
    return log_q - (PRIOR_DENSITY - np.logaddexp.reduce(PRIOR_DENSITY))[place]


def test_kl_of_four_overlapping_groups():
    part, beta = directed(4), 3.0
    expected = ancestral(part, FEATURES[:1].numpy(), beta, NUM_DRAWS)
    relax = samplers.Exponential(beta)
    draw = part.relaxed(FEATURES[:1], None, NUM_DRAWS, relax, 0, "expectation")
    log_z = samplers.exact_log_normalizer(STATES_PRIOR)
    found = (draw.log_q - log_prior(STATES_PRIOR, draw) + log_z)[:, 0].numpy()
    assert largest(z_scores(found - expected, 0.0)) < 4
    assert found.std() < 0.5 * expected.std()  # what is known in closed form


def test_kl_of_one_overlapping_group():
    """No draw enters it: it is that of bits."""
    part = directed(1)
    draw = part.relaxed(FEATURES, None, 2, samplers.Exponential(8.0), 0, "expectation")
    exact = kl(directed_log_mass(part, FEATURES))
    np.testing.assert_allclose(terms(draw), [exact, exact], rtol=1e-5)


# Concrete.


def logistic_kl(logit, beta, prior_beta):
    """KL of the laws of y = beta (logit + L) and prior_beta L, L logistic, by the midpoint rule."""
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    y = beta * (logit + np.log(u / (1 - u)))
    ratio = [
        -np.logaddexp(0, x) - np.logaddexp(0, -x) - np.log(scale)
        for x, scale in ((y / beta - logit, beta), (y / prior_beta, prior_beta))
    ]
    return np.mean(ratio[0] - ratio[1])


def concrete_kl(logit, beta, prior_beta, num_draws):
    """Its estimates by draws of two equal bits, [num_draws], and their gradient in the logit."""
    part, relax = chain([logit], [logit, 0.0]), samplers.Concrete(beta)
    biases = [head.bias for head in part.heads]
    with tf.GradientTape() as tape:
        draw = part.relaxed(tf.zeros([1, 1]), None, num_draws, relax, 0, "density")
        prior = IndependentPrior((1, 1), concrete_beta=prior_beta)
        kl = draw.log_q - prior.relaxed_log_prob(draw.at, relax)
        mean = tf.reduce_mean(kl)
    return kl.numpy()[:, 0] / 2, np.mean(tape.gradient(mean, biases))


@pytest.mark.parametrize(("beta", "prior_beta"), [(1.5, 1.5), (1.5, 2.0), (10.0, 10.0)])
def test_kl_of_concrete_bits(beta, prior_beta):
    """At one temperature it is that of two logistic laws, above that of bits."""
    logit = 3.0
    exact = logistic_kl(logit, beta, prior_beta)
    kl, gradient = concrete_kl(logit, beta, prior_beta, NUM_DRAWS)
    assert largest(z_scores(kl, exact)) < 4
    near = logistic_kl(logit + 0.01, beta, prior_beta), logistic_kl(logit - 0.01, beta, prior_beta)
    np.testing.assert_allclose(gradient, (near[0] - near[1]) / 0.02, rtol=0.02)
    q = 1 / (1 + np.exp(-logit))
    of_bits = q * np.log(2 * q) + (1 - q) * np.log(2 * (1 - q))
    assert exact > of_bits + 0.3
    if beta == prior_beta:
        np.testing.assert_allclose(exact, logit / np.tanh(logit / 2) - 2, atol=1e-4)


def test_kl_of_concrete_bits_has_the_prior_s_own_temperature():
    assert (
        largest(z_scores(concrete_kl(3.0, 1.5, 2.0, NUM_DRAWS)[0], logistic_kl(3.0, 1.5, 1.5))) > 8
    )


def test_reconstruction_by_concrete_bits_nears_that_of_bits():
    x, gaps = images(), []
    for beta in (1.5, 10.0, 100.0):
        relaxation = {"name": "concrete", "beta": beta}
        kinds = {"relaxation": relaxation, "prior": "independent", "kl": "relaxed"}
        model = small(DirectedPosterior((4, 4)), num_samples=4000, **kinds)
        draw = model.relaxed_draw(model.amortise({"x": x}, 0), None, 0, "density")
        states, log_p = log_joint(model, x)
        log_p -= model.prior.log_prob(tf.constant(states, tf.float32)).numpy()[:, None]
        q = np.exp(directed_log_mass(model.posterior_part, model.encoder(x)))
        found = model.likelihood(draw.zeta).log_prob(x).numpy().mean(0)
        gaps.append(largest(found - (q * log_p).sum(0)))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
    assert gaps[2] < 0.05
