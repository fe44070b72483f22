"""Chains of small RBMs reach the law of enumeration, and keep it."""

import numpy as np
import pytest
import tensorflow as tf
from checking import moments, mutant, z_scores
from small_rbms import BATCH, MACHINES, exact_draws, exact_moments, parameters

import samplers

# What is replaced in samplers/rbm.py, and by what.
CHAINS = MACHINES | {
    "stale z2": ("z1 = bernoulli(rbm.logits1(z2), u1)", "z1 = bernoulli(rbm.logits1(_), u1)"),
    "side 1 not updated": ("z1 = bernoulli(rbm.logits1(z2), u1)", "z1 = z1 + 0 * u1"),
    "same uniforms for both sides": (
        "bernoulli(rbm.logits2(z1), u2)",
        "bernoulli(rbm.logits2(z1), u1)",
    ),
    "same uniforms in every sweep": (
        "fold_in(seed, i))\n        z2 = bernoulli",
        "fold_in(seed, 0))\n        z2 = bernoulli",
    ),
    "same uniforms for all chains": (
        "tf.concat([shape, [sum(sizes)]], 0)",
        "tf.concat([[1], shape[1:], [sum(sizes)]], 0)",
    ),
    "same uniforms for all RBMs": (
        "tf.concat([shape, [sum(sizes)]], 0)",
        "tf.concat([shape[:1], [1, sum(sizes)]], 0)",
    ),
    "uniforms above the probability": ("u < tf.sigmoid(logits)", "u > tf.sigmoid(logits)"),
    "most probable state": ("u < tf.sigmoid(logits)", "0.5 + 0 * u < tf.sigmoid(logits)"),
}


def chain_deviation(module, sample, size=4000):
    """How far chains of three RBMs are from where they should be, in 4 standard errors of moments.

    Three sweeps from exact draws, and fifteen from zeros.
    """
    rbm = module.RBM(*parameters())
    draws = exact_draws(rbm, size)[..., :4]
    deviations = []
    for start, num_sweeps in ((draws, 3), (0 * draws, 15)):
        end = np.concatenate(sample(module, rbm, tf.constant(start), num_sweeps), -1)
        assert np.isin(end, [0, 1]).all()
        deviations.append(z_scores(moments(end.reshape(size, -1)), exact_moments(rbm)))
    return np.abs(deviations).max() / 4


def gibbs(module, rbm, z1, num_sweeps):
    return module.gibbs(rbm, z1, num_sweeps=num_sweeps, seed=0)


def hard(logits, u):
    return tf.cast(u > tf.sigmoid(-logits), logits.dtype)


def relaxed_gibbs(module, rbm, z1, num_sweeps):
    return module.relaxed_gibbs(rbm, z1, num_sweeps=num_sweeps, relax=hard, seed=0)[:2]


def compiled_gibbs(module, rbm, z1, num_sweeps):
    return tf.function(module.gibbs, jit_compile=True, autograph=False)(
        rbm, z1, num_sweeps=tf.constant(num_sweeps), seed=samplers.as_seed(0)
    )


@pytest.mark.parametrize("sample", [gibbs, compiled_gibbs, relaxed_gibbs])
def test_chains_reach_their_law_and_keep_it(sample):
    assert chain_deviation(samplers, sample) < 1


@pytest.mark.slow
@pytest.mark.parametrize("change", CHAINS.values(), ids=CHAINS)
def test_wrong_sweeps_are_rejected(change):
    assert not chain_deviation(mutant("samplers.rbm", *change), gibbs) < 1


RELAXED = {
    "hard start in every sweep": ("relax(rbm.logits2(zeta1), u2)", "relax(rbm.logits2(z1), u2)"),
    "same uniforms for both sides": ("zeta1 = relax(logits1, u1)", "zeta1 = relax(logits1, u2)"),
    "same uniforms in every sweep": (
        "fold_in(seed, i))\n        zeta2",
        "fold_in(seed, 0))\n        zeta2",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", RELAXED.values(), ids=RELAXED)
def test_wrong_relaxed_sweeps_are_rejected(change):
    module = mutant("samplers.rbm", *change)
    wrong_law = not chain_deviation(module, relaxed_gibbs) < 1
    assert wrong_law or not relaxed_error(module) < 0.01


def relaxed_error(module):
    """With means for relaxed draws, sweeps are mean-field updates."""
    rbm = module.RBM(*parameters())
    start = tf.constant(np.random.default_rng(0).integers(0, 2, (5, BATCH, 4)).astype(float))
    zeta1, zeta2, mean1 = module.relaxed_gibbs(
        rbm, start, num_sweeps=3, relax=lambda logits, u: tf.sigmoid(logits), seed=0
    )
    bias1, bias2, weights = (p.numpy() for p in rbm)
    expected = start.numpy()
    for _ in range(3):
        other = 1 / (1 + np.exp(-bias2 - np.einsum("sbi,bij->sbj", expected, weights)))
        expected = 1 / (1 + np.exp(-bias1 - np.einsum("sbj,bij->sbi", other, weights)))
    errors = zeta1 - expected, zeta2 - other, mean1 - expected
    return np.abs(np.concatenate(errors)).max()


def test_relaxed_sweeps_condition_on_relaxed_states():
    assert relaxed_error(samplers) < 1e-12


def concrete(logits, u):
    return tf.sigmoid(3 * (logits + tf.math.log(u) - tf.math.log1p(-u)))


def test_relaxed_draws_are_differentiable_in_the_parameters():
    rng = np.random.default_rng(0)
    start = tf.constant(rng.integers(0, 2, (2, BATCH, 4)).astype(float))
    weights = tf.constant(rng.standard_normal((3, 2, BATCH, 4)))

    def value(*rbm):
        sample = samplers.relaxed_gibbs(
            samplers.RBM(*rbm), start, num_sweeps=2, relax=concrete, seed=3
        )
        return tf.reduce_sum(weights * tf.stack(sample))

    point = parameters()
    with tf.GradientTape() as tape:
        tape.watch(point)
        end = value(*point)
    for i, gradient in enumerate(tape.gradient(end, point)):
        direction = rng.standard_normal(gradient.shape)
        moved = [[*point[:i], point[i] + h * direction, *point[i + 1 :]] for h in (1e-6, -1e-6)]
        expected = (value(*moved[0]) - value(*moved[1])) / 2e-6
        np.testing.assert_allclose(tf.reduce_sum(gradient * direction), expected, rtol=1e-6)


def test_without_weights_draws_are_of_independent_units():
    bias1, bias2, weights = parameters()
    rbm = samplers.RBM(bias1, bias2, 0 * weights)
    size = 4000

    def run(start):
        return samplers.relaxed_gibbs(rbm, start, num_sweeps=1, relax=hard, seed=1)

    zeros, ones = (run(value([size, BATCH, 4], tf.float64)) for value in (tf.zeros, tf.ones))
    np.testing.assert_array_equal(zeros.zeta1, ones.zeta1)
    np.testing.assert_array_equal(zeros.mean1[0], tf.sigmoid(bias1))
    draws = np.concatenate([zeros.zeta1, zeros.zeta2], -1).reshape(size, -1)
    assert np.abs(z_scores(moments(draws), exact_moments(rbm))).max() < 4


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_do_not_touch_each_other(compiled):
    run = tf.function(samplers.gibbs, jit_compile=compiled, autograph=False)
    ends = []
    for seed in (0, 1):
        rbm = [
            tf.concat([a[:1], b[1:]], 0)
            for a, b in zip(parameters(), parameters(seed=seed), strict=True)
        ]
        start = tf.concat([tf.ones([6, 1, 4]), tf.fill([6, BATCH - 1, 4], float(seed))], 1)
        ends.append(run(samplers.RBM(*rbm), tf.cast(start, tf.float64), num_sweeps=5, seed=2))
    for first, second in zip(*ends, strict=True):
        np.testing.assert_array_equal(first[:, 0], second[:, 0])
        assert np.any(first[:, 1:] != second[:, 1:])


def test_number_of_sweeps():
    """A tensor does not trace again, and sweeps are those of as many single ones of the chain."""
    rbm = samplers.RBM(*parameters(5, 2, batch=()))
    start = tf.zeros([7, 5], tf.float64)
    run = tf.function(samplers.gibbs, autograph=False)
    for num_sweeps in (1, 4):
        first = run(rbm, start, num_sweeps=tf.constant(num_sweeps), seed=samplers.as_seed(1))
        second = samplers.gibbs(rbm, start, num_sweeps=num_sweeps, seed=1)
        assert first[0].shape == (7, 5) and first[1].shape == (7, 2)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
    assert run.experimental_get_tracing_count() == 1
    with pytest.raises(ValueError, match="num_sweeps must be at least 1; it was 0"):
        samplers.gibbs(rbm, start, num_sweeps=0, seed=0)
    with pytest.raises(ValueError, match="num_sweeps must be a positive int; it was 0"):
        samplers.relaxed_gibbs(rbm, start, num_sweeps=0, relax=hard, seed=0)
