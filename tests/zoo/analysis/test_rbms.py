"""Modes of RBMs and errors of their log Z, against closed forms and enumeration."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from small_rbms import BIASED, FERROMAGNET, INDEPENDENT, WEAK, batch_of, parameters

import samplers
import zoo
from zoo.analysis import rbms

NUM_DRAWS = 1000


def modes_of(*kinds, module=rbms, **kwargs):
    settings = {"num_draws": NUM_DRAWS, "num_increments": 100, "jit_compile": False} | kwargs
    return module.mean_field_modes(batch_of(*kinds), **settings)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_modes(jit_compile):
    found = modes_of(FERROMAGNET, WEAK, BIASED, INDEPENDENT, jit_compile=jit_compile)
    assert [len(modes.shares) for modes in found] == [2, 2, 1, 1]
    two, weak, biased, independent = found
    means = two.means[np.argsort(two.means[:, 0])]
    np.testing.assert_allclose(means, [[3.37e-4] * 8, [1 - 3.37e-4] * 8], atol=1e-6)
    np.testing.assert_allclose(two.shares, 0.5, atol=4 * np.sqrt(0.25 / NUM_DRAWS))
    np.testing.assert_allclose(two.kl, 0.6932, atol=1e-4)
    assert (weak.kl > 0.1).all() and 0 < biased.kl < 0.01
    assert independent.kl == pytest.approx(0, abs=1e-5)


def by_annealing(module, monkeypatch, *kinds):
    monkeypatch.setattr(module, "_MAX_ENUMERATED", 0)
    return modes_of(*kinds, module=module)


def test_divergence_by_annealing(monkeypatch):
    (two,) = by_annealing(rbms, monkeypatch, FERROMAGNET)
    assert 0 < two.stderr < 0.02 and (abs(two.kl - 0.6932) < 4 * two.stderr).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<= tolerance", "<= 1.0"),
        ("<= tolerance", "<= 0.0"),
        ("0.99 * chains.z1 + 0.01 * u", "chains.z1"),
        ("_STEPS_OF_A_ROUND = 100", "_STEPS_OF_A_ROUND = 0"),
        ("kl + log_normalizers", "kl"),
    ],
)
def test_wrong_modes_are_found_out(old, new, monkeypatch):
    wrong = mutant("zoo.analysis.rbms", old, new)
    two, weak = by_annealing(wrong, monkeypatch, FERROMAGNET, WEAK)
    right = abs(two.kl - 0.6932) < 4 * two.stderr
    assert not (len(two.shares) == len(weak.shares) == 2 and right.all())


# log Z.


RBMS = samplers.RBM(*(tf.cast(part, tf.float32) for part in parameters()))
SIZES, NUM_REPEATS = (1, 4, 32, 64), 100


def errors_of(start, module=rbms, jit_compile=False):
    """Relative errors of Z, [len(SIZES), R, B], which are zero on average."""
    settings = {"num_chains": 50, "num_repeats": NUM_REPEATS, "jit_compile": jit_compile}
    estimates = module.log_normalizer_estimates(RBMS, SIZES, start=start, **settings)
    exact, source = rbms.reference_log_normalizer(RBMS)
    assert source == "enumeration"
    return np.exp(estimates - exact) - 1


@pytest.mark.parametrize(
    ("start", "jit_compile"),
    [("zero", False), ("bias", False), pytest.param("spin", True, marks=pytest.mark.slow)],
)
def test_log_normalizer_estimates(start, jit_compile):
    errors = errors_of(start, jit_compile=jit_compile)
    assert errors.shape == (len(SIZES), NUM_REPEATS, 3)
    assert abs(z_scores(np.moveaxis(errors, 1, 0), 0)).max() < 4
    spread = errors.std(1).mean(1)
    assert (spread[1:] < 0.8 * spread[:-1]).all() and spread[-1] < 0.2 * spread[0]


PAD, ESTIMATE = "[(length - size, 0)]", "samplers.log_mean_weight(log_weights).log_mean"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [(PAD, "[(0, length - size)]"), (ESTIMATE, "tf.reduce_mean(log_weights, 0)")],
)
def test_wrong_estimates_are_found_out(old, new):
    errors = errors_of("zero", mutant("zoo.analysis.rbms", old, new))
    assert abs(z_scores(np.moveaxis(errors, 1, 0), 0)).max() > 5


def test_reference_by_annealing():
    rbm = samplers.RBM(*(0.3 * tf.cast(p, tf.float32) for p in parameters(17, 18, (2,))))
    settings = {"num_increments": 200, "num_repeats": 4, "jit_compile": False}
    found, source = rbms.reference_log_normalizer(rbm, **settings)
    assert source == "annealing, 200 temperatures"
    np.testing.assert_allclose(found, samplers.exact_log_normalizer(rbm), atol=0.05)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("tolerance must be greater than 0", lambda: modes_of(WEAK, tolerance=0.0)),
        ("num_increments must be", lambda: rbms.log_normalizer_estimates(RBMS, [1.5])),
        ("num_repeats must be", lambda: rbms.log_normalizer_estimates(RBMS, [1], num_repeats=0)),
    ],
)
def test_what_is_refused(message, call):
    with pytest.raises(zoo.UsageError, match=message):
        call()
