"""Gradients through Gibbs updates, of Gaussians and of an RBM small enough to enumerate."""

import importlib
import itertools

import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, mutant, z_scores
from eager import eagerly

import samplers
import zoo
from zoo import analysis
from zoo.analysis import registry

NAME = "zoo.scripts.studies.gibbs_gradient_toy"
toy = importlib.import_module(NAME)
NUM_UPDATES = (1, 2, 4, 8)
TARGET_MEAN, TARGET_PRECISION = np.ones(2), np.array([[1.1, 0.9], [0.9, 1.1]])
TARGET = tf.constant(toy._parameters_of(TARGET_MEAN, TARGET_PRECISION))
MEAN, PRECISION = np.array([0.3, -0.5]), np.array([[1.5, -0.6], [-0.6, 0.7]])
PARAMETERS = tf.constant(toy._parameters_of(MEAN, PRECISION))
ESTIMATORS = {estimator.label: estimator for estimator in toy._estimators(NUM_UPDATES)}
BIASED = [label for label in ESTIMATORS if label.startswith("II, ")]


@pytest.fixture
def wrong(monkeypatch):
    """`mutant` of the figure's module, which does not take the place of the registered figure."""
    monkeypatch.setattr(registry, "_FIGURES", dict(registry._FIGURES))
    return lambda old, new: mutant(NAME, old, new)


# Gaussians.


def test_density():
    z = np.random.default_rng(0).standard_normal((20, 2))
    centred = z - MEAN
    quadratic = np.einsum("ni,ij,nj->n", centred, PRECISION, centred)
    exact = 0.5 * (np.linalg.slogdet(PRECISION / (2 * np.pi))[1] - quadratic)
    np.testing.assert_allclose(toy._log_prob(PARAMETERS, tf.constant(z)), exact, rtol=1e-12)


def test_divergence():
    shift = MEAN - TARGET_MEAN
    trace = np.trace(TARGET_PRECISION @ np.linalg.inv(PRECISION))
    log_ratio = np.linalg.slogdet(PRECISION)[1] - np.linalg.slogdet(TARGET_PRECISION)[1]
    exact = 0.5 * (trace + shift @ TARGET_PRECISION @ shift - 2 + log_ratio)
    kl = toy._kl(tf.stack([PARAMETERS, TARGET, tf.zeros_like(TARGET)]), TARGET)
    np.testing.assert_allclose(kl, [exact, 0, 2.5581], atol=5e-5)
    assert kl[0].numpy() == pytest.approx(exact, rel=1e-12)


def deviation(module, num_updates):
    """Of moments of exact draws and of where Gibbs updates lead from them, in 4 standard errors."""
    shape = [20_000, 2]
    start = module._sample(PARAMETERS, samplers.normal(shape, 0, tf.float64))
    noise = samplers.normal([num_updates, *shape], 1, tf.float64)
    z = module._gibbs(PARAMETERS, start, noise)
    covariance = np.linalg.inv(PRECISION)
    # What z keeps of the start's second variable: after z_1, and then after z_2.
    kept = -PRECISION[0, 1] / np.diag(PRECISION)
    kept = np.prod(kept) ** (num_updates - 1) * np.array([kept[0], np.prod(kept)])
    across = np.outer(covariance[:, 1], kept)
    both = np.block([[covariance, across], [across.T, covariance]])
    found = moments(np.concatenate([start, z], axis=1))
    return np.abs(z_scores(found, gaussian_moments(np.tile(MEAN, 2), both))).max() / 4


@pytest.mark.parametrize("num_updates", [1, 2])
def test_draws_and_updates_have_the_law(num_updates):
    assert deviation(toy, num_updates) < 1


@pytest.mark.parametrize(
    "old, new",
    [
        ("noise[..., 0] - c21 * d2", "noise[..., 0] + c21 * d2"),
        ("- coupling / precisions[0]", "+ coupling / precisions[0]"),
        ("coupling / precisions[1]", "coupling / precisions[0]"),
        ("tf.square(c21) + tf.square(c22)", "tf.square(c22)"),
        ("/ tf.sqrt(precisions[1])", "/ precisions[1]"),
        ("(z - parameters[..., :2])[..., 1]", "(z - parameters[..., :2])[..., 0]"),
    ],
)
def test_wrong_draws_are_rejected(wrong, old, new):
    assert not deviation(wrong(old, new), 1) < 1


@pytest.mark.parametrize(("t", "expected"), [(1, 0.3306), (2, 0.5519), (4, 0.7992), (8, 0.9597)])
def test_bias_of_a_mean(t, expected):
    """d E[z_2] / d mu_2 is 1; through t updates 1 - rho^(2 t), in every draw."""
    noise = samplers.normal([t, 5, 2], 1, tf.float64)
    start = samplers.normal([5, 2], 0, tf.float64)
    with tf.GradientTape() as tape:
        parameters = tf.tile(TARGET[None], [5, 1])
        tape.watch(parameters)
        z = toy._gibbs(parameters, start, noise)[:, 1]
    slopes = tape.gradient(z, parameters)[:, 1].numpy()
    squared = 0.9**2 / 1.1**2
    np.testing.assert_allclose(slopes, np.full(5, 1 - squared**t), rtol=1e-12)
    np.testing.assert_allclose(slopes, expected, atol=5e-5)


def gradients(module, label, parameters, num_draws, num_samples=1):
    """Independent estimates, [num_draws, 5]."""
    rows = tf.tile(parameters[None], [num_draws, 1])
    seed = samplers.as_seed(3)
    return module._gradient(ESTIMATORS[label], rows, TARGET, num_samples, seed).numpy()


def bias(module, label):
    """In 4 standard errors; both of one draw each, and of three."""
    _, exact = toy._kl_and_gradient(PARAMETERS, TARGET)
    found = [gradients(module, label, PARAMETERS, 40_000, n) for n in (1, 3)]
    return max(np.abs(z_scores(values, exact.numpy())).max() / 4 for values in found)


@pytest.mark.parametrize("label", [label for label in ESTIMATORS if label not in BIASED])
def test_without_bias(label):
    assert bias(toy, label) < 1


@pytest.mark.parametrize("label", BIASED[:3])  # after 8 updates it is too little to see
def test_bias_without_the_score(label):
    assert not bias(toy, label) < 1


@pytest.mark.parametrize(
    "old, new",
    [
        ("_log_prob(parameters, start)", "_log_prob(parameters, z)"),
        ("_log_prob(parameters, start)", "_log_prob(parameters, tf.stop_gradient(z))"),
        ("tf.stop_gradient(f) *", "tf.stop_gradient(_log_prob(target, z)) *"),
        ("start = z = tf.stop_gradient(start)", "z = start"),
    ],
)
def test_wrong_estimators_are_rejected(wrong, old, new):
    assert not bias(wrong(old, new), "II + I, t = 1") < 1


PATHS = ["reparameterisation", *BIASED]


@pytest.mark.parametrize("label", PATHS)
def test_no_noise_at_the_optimum(label):
    """Exactly zero in every draw, away from it not."""
    assert (gradients(toy, label, TARGET, 50) == 0).all()
    assert gradients(toy, label, PARAMETERS, 50).std(0).min() > 1e-3


def test_score_of_log_q_is_noise(wrong):
    """With its gradient in its own parameters, as right on average, there would be some."""
    full = wrong("f = _log_prob(tf.stop_gradient(parameters), z)", "f = _log_prob(parameters, z)")
    for label in PATHS:
        assert gradients(full, label, TARGET, 50).std(0).min() > 0.1
    assert bias(full, "reparameterisation") < 1


# An RBM of 2 + 2 units.

UNITS = np.array(list(itertools.product([0.0, 1.0], repeat=2)))  # states of a side
RNG = np.random.default_rng(0)
RBM = [tf.constant(RNG.normal(size=shape)) for shape in ((2,), (2,), (2, 2))]
VALUES = tf.constant(RNG.normal(size=16))  # of f, at each pair of states


def joint_and_kernel(b1, b2, w):
    """q of all states (z_1, z_2), [16], and of a Gibbs update z_1 given z_2', z_2 given z_1."""
    energy = (UNITS @ b1[:, None]) + tf.linalg.matvec(UNITS, b2) + UNITS @ w @ UNITS.T
    given_2, given_1 = tf.nn.softmax(energy, 0), tf.nn.softmax(energy, 1)
    from_2 = tf.transpose(given_2)[:, :, None] * given_1  # z_2', z_1, z_2
    kernel = tf.tile(tf.reshape(from_2, [1, 4, 16]), [4, 1, 1])
    return tf.nn.softmax(tf.reshape(energy, [-1])), tf.reshape(kernel, [16, 16])


def terms(t):
    """Terms I and II of the gradient of E_q[f], and the whole, by enumeration: [3, 8]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(RBM)
        q, kernel = joint_and_kernel(*RBM)
        later = VALUES
        for _ in range(t):
            later = tf.linalg.matvec(kernel, later)
        sums = [
            tf.tensordot(q, tf.stop_gradient(later), 1),
            tf.tensordot(tf.stop_gradient(q), later, 1),
            tf.tensordot(q, VALUES, 1),
        ]
    np.testing.assert_allclose(sums, [sums[2]] * 3, rtol=1e-12)  # the kernel leaves q as it is
    found = [tape.gradient(value, RBM) for value in sums]
    return np.array([np.concatenate([part.numpy().ravel() for part in row]) for row in found])


def test_terms_of_the_gradient_by_enumeration():
    sizes = []
    for t in NUM_UPDATES:
        score, path, whole = terms(t)
        np.testing.assert_allclose(score + path, whole, atol=1e-10)
        sizes.append(np.linalg.norm(score))
    assert np.linalg.norm(whole) > 0.1
    decays = np.log(np.divide(sizes[1:], sizes[:-1]))
    assert sizes[0] > 1e-3 and decays[0] < np.log(0.5)
    assert decays[2] == pytest.approx(2 * decays[1], rel=0.05)  # geometric, as t doubles


# The figure.


@pytest.fixture(scope="module")
def plot():
    settings = {"num_updates": (1, 4), "num_iterations": 1000, "learning_rate": 0.01}
    return analysis.draw("gibbs_gradient_toy", num_runs=50, jit_compile=False, **settings)


def table(plot, column):
    """One column of the table by estimator, in order of iterations."""
    values, index = {}, plot.columns.index(column)
    for row in plot.rows:
        values.setdefault(row[0], []).append(row[index])
    return {label: np.array(column) for label, column in values.items()}


@pytest.mark.slow
def test_order_of_estimators(plot):
    """As in the paper: where the divergence is large only I matters, where it is small t does."""
    kl, errors = table(plot, "kl"), table(plot, "gradient_error")
    assert all(values[0] == pytest.approx(2.5581, abs=5e-5) for values in kl.values())
    early = 30  # iteration 300
    assert kl["II, t = 1"][early] < 3 * kl["II, t = 4"][early]
    for label in ("II + I, t = 1", "II + I, t = 4", "REINFORCE"):
        for better in ("reparameterisation", "II, t = 1", "II, t = 4"):
            assert kl[label][early] > 4 * kl[better][early]
            assert errors[label][early] > 2 * errors[better][early]
    assert kl["II, t = 1"][-1] > 10 * kl["II, t = 4"][-1] > 10 * kl["reparameterisation"][-1]
    assert kl["II, t = 1"][-1] < 1e-4


def test_picture(plot):
    first, middle, last = plot.figure.axes
    assert "N" not in middle.get_title() and len(middle.collections) == 1
    kl, errors = table(plot, "kl"), table(plot, "gradient_error")
    for axes, values in ((first, kl), (last, errors)):
        assert axes.get_yscale() == "log"
        for line, column in zip(axes.get_lines(), values.values(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), column)
    assert [line.get_label() for line in first.get_lines()] == list(kl)
    styles = {
        label: line.get_linestyle() for label, line in zip(kl, first.get_lines(), strict=True)
    }
    assert styles["II, t = 1"] == "-" and styles["II + I, t = 1"] == "--"


def test_seed():
    settings = {"num_updates": (), "num_iterations": 5, "num_runs": 3, "jit_compile": False}
    with eagerly():
        first, same, other = (
            analysis.draw("gibbs_gradient_toy", seed=seed, **settings).rows for seed in (0, 0, 1)
        )
    assert len(first) == 2 * 5 and first == same and first != other


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_samples": 0}, "num_samples must be greater than 0"),
        ({"num_updates": (1, 0)}, "num_updates must be greater than 0"),
        ({"learning_rate": -1.0}, "learning_rate must be greater than 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(zoo.UsageError, match=message):
        analysis.draw("gibbs_gradient_toy", **settings)
