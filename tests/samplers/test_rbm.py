"""RBMs of few units against enumeration in numpy."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from scipy import stats
from small_rbms import BATCH, MACHINES, enumerated, exact_draws, parameters, probabilities

import samplers

# What is replaced in samplers/rbm.py, and by what.
DENSITIES = MACHINES | {
    "interaction twice": (
        "tf.reduce_sum(z2 * self.logits2(z1), -1)",
        "tf.reduce_sum(z2 * (2 * self.logits2(z1) - self.bias2), -1)",
    ),
    "marginal without the bias": ("tf.reduce_sum(z1 * self.bias1, -1) + free", "free"),
    "log sigmoid for softplus": ("tf.math.softplus(", "tf.math.log_sigmoid("),
    "half of the states": ("tf.range(2**n)", "tf.range(2 ** (n - 1))"),
}


def density_error(module, n1=4, n2=4, run=lambda f: f()):
    """Largest error of densities, marginals, conditionals and log Z, of three RBMs."""
    rbm = module.RBM(*parameters(n1, n2))
    tables = [enumerated(*one) for one in zip(*rbm, strict=True)]
    states, log_density = tables[0][0], np.stack([table[1] for table in tables], 1)
    z = tf.constant(np.repeat(states[:, None], BATCH, 1))
    z1, z2 = z[..., :n1], z[..., n1:]

    def evaluate():
        conditionals = rbm.logits1(z2), rbm.logits2(z1)
        densities = rbm.log_density(z1, z2), rbm.log_marginal1(z1)
        return *conditionals, *densities, module.exact_log_normalizer(rbm)

    table = log_density.reshape(*[2] * (n1 + n2), BATCH)
    # log p(z_i = 1 given the rest) - log p(z_i = 0 given the rest)
    logits = [
        np.take_along_axis(table, np.ones([1] * table.ndim, int), i)
        - np.take_along_axis(table, np.zeros([1] * table.ndim, int), i)
        for i in range(n1 + n2)
    ]
    logits = np.stack([np.broadcast_to(a, table.shape).reshape(-1, BATCH) for a in logits], -1)
    marginal = np.logaddexp.reduce(log_density.reshape(2**n1, 2**n2, BATCH), 1)
    expected = (
        logits[..., :n1],
        logits[..., n1:],
        log_density,
        np.repeat(marginal, 2**n2, 0),
        np.logaddexp.reduce(log_density, 0),
    )
    return max(np.abs(a - b).max() for a, b in zip(run(evaluate), expected, strict=True))


@pytest.mark.parametrize(("n1", "n2"), [(4, 4), (5, 2), (2, 5)])
@pytest.mark.parametrize("compiled", [False, True])
def test_densities(compiled, n1, n2):
    def run(evaluate):
        return tf.function(evaluate, jit_compile=compiled, autograph=False)()

    assert density_error(samplers, n1, n2, run) < 1e-12


@pytest.mark.parametrize("change", DENSITIES.values(), ids=DENSITIES)
def test_wrong_densities_are_rejected(change):
    assert not density_error(mutant("samplers.rbm", *change)) < 0.1


@pytest.mark.parametrize("compiled", [False, True])
def test_one_rbm_serves_states_with_more_axes(compiled):
    """A prior scores states of every example: [S, B, n], as it does [S B, n]."""
    rbm = samplers.RBM(*parameters(3, 2, batch=()))
    z1, z2 = tf.split(tf.constant(np.random.default_rng(0).random((5, 4, 5))), [3, 2], -1)

    @tf.function(jit_compile=compiled, autograph=False)
    def both():
        flat = rbm.log_density(tf.reshape(z1, [20, 3]), tf.reshape(z2, [20, 2]))
        return rbm.log_density(z1, z2), tf.reshape(flat, [5, 4])

    np.testing.assert_allclose(*both(), rtol=1e-12)
    assert samplers.exact_log_normalizer(rbm).shape == ()


def test_no_enumeration_of_many_units():
    with pytest.raises(ValueError, match="up to 20 units can be enumerated; there were 21"):
        samplers.exact_log_normalizer(samplers.RBM(*parameters(21, 30, batch=())))


def test_gradient_of_the_log_normaliser():
    """The mean gradient of the log density over particles, against that of enumeration."""
    rbm = samplers.RBM(*parameters())
    z1, z2 = tf.split(tf.constant(exact_draws(rbm, 10_000)), 2, -1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rbm)
        exact = tf.reduce_sum(samplers.exact_log_normalizer(rbm))
        mean = tf.reduce_sum(tf.reduce_mean(rbm.log_density(z1, z2), 0))
    terms = [z1, z2, z1[..., :, None] * z2[..., None, :]]
    pairs = zip(tape.gradient(mean, rbm), tape.gradient(exact, rbm), terms, strict=True)
    for estimate, expected, term in pairs:
        np.testing.assert_allclose(estimate, np.mean(term, 0), rtol=1e-10)
        assert np.abs(z_scores(term, expected)).max() < 4


def test_gradient_at_zero():
    rbm = samplers.RBM(*(0 * p for p in parameters(3, 5)))
    with tf.GradientTape() as tape:
        tape.watch(rbm)
        log_normalizer = samplers.exact_log_normalizer(rbm)
    np.testing.assert_allclose(log_normalizer, 8 * np.log(2), rtol=1e-12)
    for gradient, expected in zip(
        tape.gradient(log_normalizer, rbm), (0.5, 0.5, 0.25), strict=True
    ):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)


KLS = {
    "sign of the entropy": ("return negative_entropy(mean1)", "return -negative_entropy(mean1)"),
    "entropy of one side": ("+ negative_entropy(mean2)", ""),
    "entropy of the ones only": ("+ tf.math.xlogy(1 - mean, 1 - mean)", ""),
    "sign of the expectation": ("- expected", "+ expected"),
}


def kl_error(module):
    rbm, rng = module.RBM(*parameters()), np.random.default_rng(0)
    means = np.concatenate([rng.random((5, BATCH, 8)), rng.integers(0, 2, (5, BATCH, 8))])
    value = module.mean_field_kl(rbm, *(tf.constant(m) for m in np.split(means, 2, -1)))
    value += samplers.exact_log_normalizer(rbm)
    expected = np.zeros(value.shape)
    for b, one in enumerate(zip(*rbm, strict=True)):
        states, log_density = enumerated(*one)
        q = np.where(states == 1, means[:, None, b], 1 - means[:, None, b]).prod(-1)
        log_ratio = np.log(np.maximum(q, 1e-300)) - np.log(probabilities(log_density))
        expected[:, b] = (q * log_ratio).sum(-1)
    return np.abs(value - expected).max()


def test_mean_field_kl():
    assert kl_error(samplers) < 1e-12


@pytest.mark.parametrize("change", KLS.values(), ids=KLS)
def test_wrong_kls_are_rejected(change):
    assert not kl_error(mutant("samplers.rbm", *change)) < 0.1


def test_former_name():
    with pytest.raises(AttributeError, match="is now called samplers.mean_field_kl"):
        samplers.mean_field_divergence  # noqa: B018


def test_mean_field_ends_where_it_stays():
    rbm = samplers.RBM(*parameters())
    start = tf.constant(np.random.default_rng(0).random((5, BATCH, 4)))
    mean1, mean2 = samplers.mean_field(rbm, start, num_steps=400)
    np.testing.assert_allclose(mean1, tf.sigmoid(rbm.logits1(mean2)), atol=1e-12)
    np.testing.assert_allclose(mean2, tf.sigmoid(rbm.logits2(mean1)), atol=1e-12)
    shorter = samplers.mean_field(rbm, start, num_steps=1)
    before, after = (samplers.mean_field_kl(rbm, *m) for m in (shorter, (mean1, mean2)))
    assert np.all(after <= before + 1e-12)


@pytest.mark.parametrize(("bias", "num_modes"), [(-8.0, 2), (-2.0, 1)])
def test_modes_of_a_ferromagnet(bias, num_modes):
    """All units agree: two modes of half the mass each, or one, where the biases are strong."""
    shapes = ((1, 4), bias), ((1, 4), bias), ((1, 4, 4), 4.0)
    rbm = samplers.RBM(*(tf.fill(shape, tf.constant(v, tf.float64)) for shape, v in shapes))
    means = samplers.mean_field(rbm, tf.constant(exact_draws(rbm, 500)[..., :4]))
    modes = np.unique(np.round(np.concatenate(means, -1)[:, 0], 2), axis=0)
    assert len(modes) == num_modes
    kl = samplers.mean_field_kl(rbm, *means) + samplers.exact_log_normalizer(rbm)
    np.testing.assert_allclose(kl, np.log(num_modes), atol=1e-2)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_uniform(compiled, dtype):
    @tf.function(jit_compile=compiled, autograph=False)
    def draw(seed):
        return samplers.fast_uniform([1001, 9], seed, dtype)

    u, other = (draw(samplers.as_seed(seed)).numpy() for seed in (0, 1))
    assert u.dtype == dtype and u.min() >= 0 and u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-4
    for a, b in ((u, other), (u[:, 1:], u[:, :-1]), (u[1:], u[:-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / a.size**0.5
    np.testing.assert_array_equal(u, draw(samplers.as_seed(0)))
