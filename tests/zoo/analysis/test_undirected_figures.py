"""Modes of RBMs and errors of their log Z, against closed forms and enumeration; their figures."""

import types

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from small_rbms import parameters

import samplers
import zoo
from zoo import analysis
from zoo.analysis import rbms as rbm_modes

# Biases and weights of 4 + 4 units.
FERROMAGNET = (-8.0, 4.0)  # all units are 0 or all are 1, and hardly anything else
WEAK = (-3.0, 1.5)  # so, too, but many draws lie between the two modes
BIASED = (6.0, 0.5)
INDEPENDENT = (-1.0, 0.0)
NUM_DRAWS = 1000


def rbms(*kinds, units=4):
    """A batch of RBMs that have the same biases and weights everywhere."""
    biases, weights = np.array(kinds, np.float32).T
    sides = [tf.constant(np.tile(biases[:, None], (1, units)))] * 2
    return samplers.RBM(*sides, tf.constant(np.tile(weights[:, None, None], (1, units, units))))


def modes_of(*kinds, module=rbm_modes, **kwargs):
    settings = {"num_draws": NUM_DRAWS, "num_increments": 100, "jit_compile": False} | kwargs
    return module.mean_field_modes(rbms(*kinds), **settings)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_modes(jit_compile):
    found = modes_of(FERROMAGNET, WEAK, BIASED, INDEPENDENT, jit_compile=jit_compile)
    assert [len(modes.shares) for modes in found] == [2, 2, 1, 1]
    two, weak, biased, independent = found
    means = two.means[np.argsort(two.means[:, 0])]
    np.testing.assert_allclose(means, [[3.37e-4] * 8, [1 - 3.37e-4] * 8], atol=1e-6)
    np.testing.assert_allclose(two.shares, 0.5, atol=4 * np.sqrt(0.25 / NUM_DRAWS))
    np.testing.assert_allclose(two.divergences, 0.6932, atol=1e-4)
    assert (weak.divergences > 0.1).all() and 0 < biased.divergences < 0.01
    assert independent.divergences == pytest.approx(0, abs=1e-5)


def by_annealing(module, monkeypatch, *kinds):
    monkeypatch.setattr(module, "_MAX_ENUMERATED", 0)
    return modes_of(*kinds, module=module)


def test_divergence_by_annealing(monkeypatch):
    (two,) = by_annealing(rbm_modes, monkeypatch, FERROMAGNET)
    assert 0 < two.stderr < 0.02 and (abs(two.divergences - 0.6932) < 4 * two.stderr).all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<= tolerance", "<= 1.0"),
        ("<= tolerance", "<= 0.0"),
        ("0.99 * chains.z1 + 0.01 * u", "chains.z1"),
        ("_STEPS_OF_A_ROUND = 100", "_STEPS_OF_A_ROUND = 0"),
        ("divergences + log_normalizers", "divergences"),
    ],
)
def test_wrong_modes_are_found_out(old, new, monkeypatch):
    wrong = mutant("zoo.analysis.rbms", old, new)
    two, weak = by_annealing(wrong, monkeypatch, FERROMAGNET, WEAK)
    right = abs(two.divergences - 0.6932) < 4 * two.stderr
    assert not (len(two.shares) == len(weak.shares) == 2 and right.all())


# log Z.


RBMS = samplers.RBM(*(tf.cast(part, tf.float32) for part in parameters()))
SIZES, NUM_REPEATS = (1, 4, 32, 64), 100


def errors_of(start, module=rbm_modes, jit_compile=False):
    """Relative errors of Z, [len(SIZES), R, B], which are zero on average."""
    settings = {"num_chains": 50, "num_repeats": NUM_REPEATS, "jit_compile": jit_compile}
    estimates = module.log_normalizer_estimates(RBMS, SIZES, start=start, **settings)
    exact, source = rbm_modes.reference_log_normalizer(RBMS)
    assert source == "enumeration"
    return np.exp(estimates - exact) - 1


@pytest.mark.parametrize(("start", "jit_compile"), [("zero", False), ("bias", True)])
def test_log_normalizer_estimates(start, jit_compile):
    errors = errors_of(start, jit_compile=jit_compile)
    assert errors.shape == (len(SIZES), NUM_REPEATS, 3)
    assert abs(z_scores(np.moveaxis(errors, 1, 0), 0)).max() < 4
    spread = errors.std(1).mean(1)
    assert (spread[1:] < 0.8 * spread[:-1]).all() and spread[-1] < 0.2 * spread[0]


PAD, ESTIMATE = "[(length - size, 0)]", "log_mean_weight(log_weights).log_likelihood"


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
    found, source = rbm_modes.reference_log_normalizer(rbm, **settings)
    assert source == "annealing, 200 temperatures"
    np.testing.assert_allclose(found, samplers.exact_log_normalizer(rbm), atol=0.05)


# The figures.


def fake_run(label, model, data):
    """What a figure asks of a run, without a work directory."""
    return types.SimpleNamespace(label=label, model=model, data=data)


@pytest.fixture(scope="module")
def runs(digits):
    """Their priors are the ferromagnet, the posteriors of the first have the biases "BIASED"."""
    undirected, directed = models = [
        method.for_data(digits, latent_dims=(4, 4), hidden=(4,), num_particles=4)
        for method in (zoo.UndirectedDVAE, zoo.DVAE)
    ]
    for model in models:
        for variable, value in zip(model.rbm_prior.parameters, rbms(FERROMAGNET), strict=True):
            variable.assign(value[0])
        model.compile(jit_compile=False)
    # The network gives J sqrt(n1 n2), with W = 4 J, and the fields b / 2 + sum_j W / 4.
    part, (bias, weights) = undirected.posterior_part, BIASED
    for head, value in ((part.couplings, weights), (part.fields, bias / 2 + weights)):
        head.set_weights([0 * head.kernel.numpy(), value + 0 * head.bias.numpy()])
    return [fake_run("undirected", undirected, digits), fake_run("directed", directed, digits)]


FEW = {"num_images": 3, "num_draws": 50, "num_increments": 20}


def test_figure_of_modes(runs):
    plot = analysis.draw("rbm_modes", runs, **FEW)
    prior, *posteriors, other = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    assert [row["image"] for row in posteriors] == [0, 1, 2]
    assert (prior["run"], other["run"]) == ("undirected", "directed")
    for row in (prior, other):
        assert (row["rbm"], row["image"], row["num_modes"]) == ("prior", "", 2)
        assert 0.5 <= row["largest_share"] < 0.9
        assert (row["divergence"], row["stderr"]) == (pytest.approx(0.6932, abs=1e-4), 0)
    (biased,) = modes_of(BIASED)
    for row in posteriors:
        assert (row["rbm"], row["num_modes"], row["largest_share"]) == ("posterior", 1, 1)
        assert row["divergence"] == pytest.approx(biased.divergences[0], rel=1e-2)
    left, middle, _ = plot.figure.axes
    assert [axes.get_title() for axes in (left, middle)] == ["prior", "posteriors"]
    assert [bar.get_height() for bar in middle.patches] == [1]
    assert analysis.draw("rbm_modes", runs, **FEW).rows == plot.rows
    assert analysis.draw("rbm_modes", runs, **FEW, seed=1).rows != plot.rows


def test_figure_of_errors(runs):
    settings = {"num_images": 2, "num_temperatures": (1, 8, 64), "num_chains": 20}
    plot = analysis.draw("rbm_log_normalizer_error", runs, **settings)
    found = {}
    for *part, source, size, error, stddev in plot.rows:
        assert source == "enumeration"
        found.setdefault(tuple(part), []).append([size, error, stddev])
    both = [("undirected", part) for part in ("prior", "posterior")] + [("directed", "prior")]
    assert list(found) == [(*part, start) for part in both for start in ("zero", "bias", "spin")]
    for (_, part, start), rows in found.items():
        assert [row[0] for row in rows] == [1, 8, 64]
        # From the prior's biases all chains start at zeros.
        assert rows[0][1] > 2 * rows[2][1] or (part, start) == ("prior", "bias") or start == "spin"
    drawn = plot.figure.axes[0].get_lines()[3].get_ydata().tolist()
    assert drawn == [row[1] for row in found["undirected", "posterior", "zero"]]


def test_what_is_refused(digits, runs, images):
    other = fake_run("vae", zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,)), digits)
    name = "rbm_log_normalizer_error"
    for message, call in (
        ("an RBM as its prior.*has not", lambda: analysis.draw("rbm_modes", [runs[0], other])),
        ("an RBM as its prior.*has not", lambda: analysis.draw(name, [runs[0], other])),
        ("RBMs as its post.*has not", lambda: rbm_modes.posterior_rbms(runs[1].model, images)),
        ("tolerance must be greater than 0", lambda: modes_of(WEAK, tolerance=0.0)),
        ("num_increments must be", lambda: rbm_modes.log_normalizer_estimates(RBMS, [1.5])),
        ("num_repeats must be at least 2", lambda: analysis.draw(name, runs, num_repeats=1)),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            call()
