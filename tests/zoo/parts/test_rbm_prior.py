"""The RBM prior and its particles, against the enumeration of all states."""

import numpy as np
import pytest
import tensorflow as tf
from checking import moments, z_scores
from small_dvaes import LATENT_DIMS, exact_log_normalizer, perturb, wrong
from small_rbms import enumerated, exact_moments, probabilities

from zoo.core.checks import UsageError
from zoo.parts import rbm_prior

NAME = "zoo.parts.rbm_prior"
NUM_PARTICLES, NUM_CHANGES = 4000, 4
SURROGATE = "return mean - tf.stop_gradient(mean) + tf.convert_to_tensor(self.log_normalizer)"


def prior(module=rbm_prior, **kwargs):
    kwargs = {"num_particles": NUM_PARTICLES, "num_sweeps": 10, "seed": 1} | kwargs
    return module.RBMPrior(LATENT_DIMS, **kwargs)


def follow(part, seed=0):
    """One move of the particles."""
    for variable, value in part.next_state(tf.constant([seed, 0])):
        variable.assign(value)


def test_starts_at_zero():
    part = prior()
    assert float(part.log_normalizer) == pytest.approx(8 * np.log(2))
    assert float(part.log_normalizer_surrogate()) == float(part.log_normalizer)
    assert [v.path for v in part.trainable_variables] == [v.path for v in part.parameters]


@pytest.mark.parametrize("num_increments", [3, 100])
def test_estimate_of_the_log_normalizer(num_increments):
    part = perturb(prior())
    estimate = part.estimate_log_normalizer(0, num_increments=num_increments, jit_compile=False)
    assert abs(estimate.mean - exact_log_normalizer(part)) < 4 * estimate.stddev
    assert 1e-3 < estimate.stddev < 0.2
    states, log_density = enumerated(*part.parameters)
    log_prob = part.distribution(8).log_prob(tf.constant(states, tf.float32))
    np.testing.assert_allclose(log_prob, log_density - estimate.mean, rtol=1e-5, atol=1e-5)


def gradient_error(module, rule):
    """Largest error of the gradient by particles, in standard errors."""
    part = perturb(prior(module, particles=rule, num_sweeps=40))
    follow(part)
    with tf.GradientTape() as tape:
        surrogate = part.log_normalizer_surrogate()
    found = tape.gradient(surrogate, part.parameters)
    states, log_density = enumerated(*part.parameters)
    z1, z2 = np.split(states, [LATENT_DIMS[0]], 1)
    p = probabilities(log_density)
    scores = []
    for gradient, mean in zip(
        found, (p @ z1, p @ z2, np.einsum("n,ni,nj", p, z1, z2)), strict=True
    ):
        scores.append((gradient - mean) / np.sqrt(mean * (1 - mean) / NUM_PARTICLES))
    return max(np.abs(score).max() for score in scores)


@pytest.mark.parametrize("rule", rbm_prior.PARTICLES)
def test_gradient_of_the_log_normalizer(rule):
    assert gradient_error(rbm_prior, rule) < 4


@pytest.mark.parametrize(
    "change",
    [
        (
            SURROGATE,
            SURROGATE.replace("mean - tf.stop_gradient(mean)", "tf.stop_gradient(mean) - mean"),
        ),
        ("new = self.rbm\n", "new = samplers.RBM(*(-part for part in self.rbm))\n"),
        ("samplers.gibbs(new, z1,", "samplers.gibbs(samplers.RBM(*self.followed), z1,"),
        ("[z1, z2, *new, log_normalizer]", "[*self.particles, *new, log_normalizer]"),
    ],
    ids=["phase swapped", "other sign of the energy", "old parameters", "particles stay"],
)
def test_wrong_particles_are_rejected(change):
    assert gradient_error(wrong(NAME, *change), "persistent") > 10


def tracking_error(module):
    """Of log Z as the population tells it, along a sequence of changes, in standard errors."""
    part, target = prior(module), perturb(prior(num_particles=1)).rbm
    variance, errors, old = 0.0, [], [np.zeros(p.shape) for p in target]
    for i in range(NUM_CHANGES):
        # Not on a line, so that the particles must know where they were.
        fractions = [(i + 1) / NUM_CHANGES, ((i + 1) / NUM_CHANGES) ** 2, np.sin(i + 1)]
        new = [f * np.array(p) for f, p in zip(fractions, target, strict=True)]
        for variable, value in zip(part.parameters, new, strict=True):
            variable.assign(value)
        follow(part, i)
        # E[w^2] / E[w]^2 - 1 of a weight w = exp(log density of new - that of old), by log Z.
        beyond = [2 * b - a for a, b in zip(old, new, strict=True)]
        log_z = [np.logaddexp.reduce(enumerated(*p)[1]) for p in (beyond, old, new)]
        variance += np.expm1(log_z[0] + log_z[1] - 2 * log_z[2]) / NUM_PARTICLES
        errors.append((float(part.log_normalizer) - log_z[2]) / variance**0.5)
        old = new
    return np.abs(errors).max()


def test_population_follows_the_log_normalizer():
    assert tracking_error(rbm_prior) < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        ("log_normalizer += tf.cast", "log_normalizer -= tf.cast"),
        ("old, new, z1, z2, num", "new, old, z1, z2, num"),
        ("[z1, z2, *new, log_normalizer]", "[z1, z2, *map(tf.zeros_like, new), log_normalizer]"),
        ("[z1, z2, *new, log_normalizer]", "[*self.particles, *new, log_normalizer]"),
    ],
    ids=["sign of log Z", "backwards", "forgets where it was", "particles stay"],
)
def test_wrong_populations_are_rejected(change):
    assert tracking_error(wrong(NAME, *change)) > 6


def test_persistent_particles_keep_the_value():
    part = perturb(prior(particles="persistent"))
    before = [float(part.log_normalizer), *(p.numpy() for p in part.particles)]
    follow(part)
    assert float(part.log_normalizer) == before[0]
    assert all((a != b.numpy()).any() for a, b in zip(before[1:], part.particles, strict=True))


def density_error(module):
    """Largest error of a log density."""
    part = perturb(prior(module))
    part.log_normalizer.assign(exact_log_normalizer(part))
    states, log_density = enumerated(*part.parameters)
    exact = log_density - np.logaddexp.reduce(log_density)
    return np.abs(part.distribution(8).log_prob(tf.constant(states, tf.float32)) - exact).max()


def draws_error(module):
    """Largest error of moments of draws, in standard errors."""
    part = perturb(prior(module))
    z = tf.function(lambda: part.distribution(8).sample([1000, 4], tf.constant([0, 1])))()
    rbm = [np.array(p)[None] for p in part.parameters]
    return np.abs(z_scores(moments(z.numpy().reshape(4000, -1)), exact_moments(rbm))).max()


def test_distribution():
    assert density_error(rbm_prior) < 1e-5
    assert draws_error(rbm_prior) < 4


@pytest.mark.slow
def test_wrong_distributions_are_rejected():
    density = "log_density(*sides) - self._log_normalizer"
    for new in ("log_density(*sides)", "log_density(*sides) + self._log_normalizer"):
        assert density_error(wrong(NAME, density, new)) > 0.1
    sides = ("tf.concat([chains.z1, chains.z2], -1)", "tf.concat([chains.z2, chains.z1], -1)")
    assert draws_error(wrong(NAME, *sides)) > 8


def test_mistakes_are_told():
    for message, arguments in {
        "latent_dims must be two numbers": {"latent_dims": (4,)},
        "latent_dims must be greater than 0": {"latent_dims": (4, 0)},
        "num_sweeps must be greater than 0": {"num_sweeps": 0},
        "particles: unknown value 'persist'": {"particles": "persist"},
    }.items():
        with pytest.raises(UsageError, match=message):
            rbm_prior.RBMPrior(**{"latent_dims": LATENT_DIMS} | arguments)
