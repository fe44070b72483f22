"""Relaxations against their laws, written again in NumPy, and against finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers
from samplers import relaxations

NUM_POINTS = 20_000
U = (np.arange(NUM_POINTS) + 0.5) / NUM_POINTS  # of a rule of integration, the midpoint rule
Q = np.array([0.005, 0.02, 0.1, 0.37, 0.5, 0.8, 0.98])[:, None]
LOGITS = tf.constant(np.log(Q / (1 - Q)))
CASES = [
    *(("PiecewiseLinear", beta) for beta in (4.0, 3.0)),
    *(("Concrete", beta) for beta in (10.0, 2.0)),
    *(("Power", beta) for beta in (30.0, 2.0)),
    *(("Exponential", beta) for beta in (10.0, 2.0)),
]
WITH_DENSITY = CASES[2:]
OVERLAPPING = CASES[4:]


def slope(q, beta):
    return 0.25 * beta / (q * (1 - q) + 0.01)


def inverse_cdf_given_0(name, beta, v):
    """Draws of r(zeta given z = 0)."""
    return v**beta if name == "Power" else -np.log1p(v * np.expm1(-beta)) / beta


def cdf_given_0(name, beta, zeta):
    return zeta ** (1 / beta) if name == "Power" else np.expm1(-beta * zeta) / np.expm1(-beta)


def exact_cdf(name, beta, zeta, q):
    if name == "PiecewiseLinear":
        return np.clip(1 - q + (zeta - 0.5) / slope(q, beta), 0, 1)
    if name == "Concrete":
        return 1 / (1 + q / (1 - q) * ((1 - zeta) / zeta) ** (1 / beta))
    cdf_1 = 1 - cdf_given_0(name, beta, 1 - zeta)
    return (1 - q) * cdf_given_0(name, beta, zeta) + q * cdf_1


def expectation(name, beta, h, q):
    """E[h(zeta)] by the midpoint rule."""
    if name == "PiecewiseLinear":
        return h(np.clip(0.5 + slope(q, beta) * (U - 1 + q), 0, 1)).mean(-1)
    if name == "Concrete":
        return h(1 / (1 + (q / (1 - q) * U / (1 - U)) ** -beta)).mean(-1)
    zeta = inverse_cdf_given_0(name, beta, U)
    return (1 - q[:, 0]) * h(zeta).mean() + q[:, 0] * h(1 - zeta).mean()


def make(case, module=relaxations):
    name, beta = case
    return getattr(module, name)(beta)


def draws(relaxation):
    return relaxation(LOGITS, tf.constant(U))


def law_error(relaxation, case):
    """Largest error of the share of draws up to any number, and of the cdf there."""
    zeta = draws(relaxation).numpy()
    points = np.linspace(0.01, 0.99, 41)
    exact = exact_cdf(*case, points, Q)
    share = (zeta[..., None] <= points).mean(1)
    cdf = relaxation.cdf(tf.constant(points), LOGITS).numpy()
    return max(abs(share - exact).max(), abs(cdf - exact).max())


def gradient_error(relaxation, case):
    """Largest error of d/dq E[h(zeta)] for several h: of draws, against finite differences."""
    powers = np.arange(1, 5)
    with tf.GradientTape() as tape:
        logits = tf.tile(LOGITS, [1, NUM_POINTS])
        tape.watch(logits)
        zeta = relaxation(logits, tf.constant(U))
    in_q = tape.gradient(zeta, logits) / (Q * (1 - Q))  # each draw's, by its own logit
    h_slope = powers * zeta.numpy()[..., None] ** (powers - 1)
    found = (h_slope * in_q.numpy()[..., None]).mean(1)
    step = 1e-4
    above, below = (
        np.stack([expectation(*case, lambda x, k=k: x**k, q) for k in powers], -1)
        for q in (Q + step, Q - step)
    )
    return abs(found - (above - below) / (2 * step)).max()


def density_error(relaxation, case):
    """Largest error of the density's logarithm, against the slope of the exact cdf."""
    zeta, step = np.linspace(0.01, 0.99, 41), 1e-6
    exact = exact_cdf(*case, zeta + step, Q) - exact_cdf(*case, zeta - step, Q)
    found = relaxation.log_prob(tf.constant(zeta), LOGITS).numpy()
    return abs(found - np.log(exact / (2 * step))).max()


def ratio_error(relaxation, case):
    """Largest error of the posterior of z given zeta, and of r(zeta given z = 0)."""
    zeta, step = np.linspace(0.01, 0.99, 41), 1e-6
    density = [
        (cdf_given_0(*case, x + step) - cdf_given_0(*case, x - step)) / (2 * step)
        for x in (zeta, 1 - zeta)
    ]
    errors = (
        relaxation.log_prob_given_0(tf.constant(zeta)) - np.log(density[0]),
        relaxation.log_ratio(tf.constant(zeta)) - np.log(density[1]) + np.log(density[0]),
    )
    return abs(np.stack(errors)).max()


LARGEST = {law_error: 3 / NUM_POINTS, gradient_error: 4e-3, density_error: 1e-6, ratio_error: 1e-6}


def accepted(error, case, module=relaxations):
    return error(make(case, module), case) < LARGEST[error]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_law(case):
    assert accepted(law_error, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_expectations(case):
    assert accepted(gradient_error, case)


@pytest.mark.parametrize("case", WITH_DENSITY, ids=str)
def test_density(case):
    assert accepted(density_error, case)


@pytest.mark.parametrize("case", OVERLAPPING, ids=str)
def test_ratio_of_densities(case):
    assert accepted(ratio_error, case)


MISTAKES = {
    "threshold q": (law_error, CASES[0], "(u - tf.sigmoid(-logits))", "(u - tf.sigmoid(logits))"),
    "slope without the quarter": (law_error, CASES[0], "0.25 * self.beta", "self.beta"),
    "slope without a gradient": (
        gradient_error,
        CASES[0],
        "+ self._slope(logits) *",
        "+ tf.stop_gradient(self._slope(logits)) *",
    ),
    "masses left out of the cdf": (
        law_error,
        CASES[0],
        "tf.clip_by_value(u, 0.0, 1.0), 1.0)",
        "u, 1.0)",
    ),
    "temperature for its inverse": (
        law_error,
        CASES[3],
        "self.beta * (logits +",
        "1 / self.beta * (logits +",
    ),
    "beta left out of the density": (
        density_error,
        CASES[2],
        "tf.math.softplus(-x) - math.log(self.beta)",
        "tf.math.softplus(-x)",
    ),
    "Jacobian left out": (density_error, CASES[2], " - tf.math.log(zeta * (1 - zeta))", ""),
    "sign of the slope": (gradient_error, CASES[6], "(cdf_0 - cdf_1)", "(cdf_1 - cdf_0)"),
    "slope of one component": (
        gradient_error,
        CASES[6],
        "-= self.log_prob(zeta, logits)",
        "-= self.log_prob_given_0(zeta)",
    ),
    "slope in q": (gradient_error, CASES[4], " + tf.math.log_sigmoid(-logits)\n", "\n"),
    "component not mirrored": (
        law_error,
        CASES[4],
        "1 - self._cdf_given_0(1 - zeta)",
        "self._cdf_given_0(1 - zeta)",
    ),
    "sign of the ratio": (
        density_error,
        CASES[7],
        "logits + self.log_ratio",
        "logits - self.log_ratio",
    ),
    "ratio upside down": (
        ratio_error,
        CASES[7],
        "self.log_prob_given_0(1 - zeta) - self.log_prob_given_0(zeta)",
        "self.log_prob_given_0(zeta) - self.log_prob_given_0(1 - zeta)",
    ),
    "remainder not rescaled": (law_error, CASES[5], "u / not_q, 1", "u, 1"),
    "power for its root": (law_error, CASES[5], "** self.beta\n", "** (1 / self.beta)\n"),
    "normaliser of the exponential": (
        density_error,
        CASES[7],
        "math.log(-self.beta / math.expm1(-self.beta))",
        "math.log(self.beta)",
    ),
    "tail of the exponential": (
        law_error,
        CASES[7],
        " + tail * (tf.sigmoid(logits) - u)",
        " + tail * tf.sigmoid(logits)",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_wrong_relaxations_are_rejected(name):
    error, case, old, new = MISTAKES[name]
    assert not accepted(error, case, mutant("samplers.relaxations", old, new))


@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_probability_of_one_half(case):
    """Rounded they are z itself."""
    np.testing.assert_allclose((draws(make(case)).numpy() > 0.5).mean(1), Q[:, 0], atol=1e-4)


@pytest.mark.parametrize("beta", [3.0, 4.0])
def test_piecewise_linear_means(beta):
    """Without bias in this range; at q = 0.01 the slope of E[zeta] is 0.947 at beta = 3."""
    q = np.linspace(0.02, 0.98, 25)[:, None]
    if beta == 3.0:
        q = np.append(q, [[0.01]], axis=0)
    with tf.GradientTape() as tape:
        logits = tf.constant(np.log(q / (1 - q)))
        tape.watch(logits)
        mean = tf.reduce_mean(samplers.PiecewiseLinear(beta)(logits, tf.constant(U)), -1)
    in_q = tape.gradient(mean, logits).numpy() / (q * (1 - q))
    np.testing.assert_allclose(mean[:25], q[:25, 0], atol=1e-6)
    np.testing.assert_allclose(in_q[:25], np.ones([25, 1]), atol=3e-3)
    if beta == 3.0:
        assert in_q[25, 0] == pytest.approx(0.947, abs=3e-3)


def test_concrete_means():
    """Nearly without bias: at q = 0.5 the slope of E[zeta] is 0.992."""
    logits = tf.zeros([1], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        mean = tf.reduce_mean(samplers.Concrete()(logits, tf.constant(U)))
    assert mean.numpy() == pytest.approx(0.5, abs=1e-6)
    assert tape.gradient(mean, logits).numpy() / 0.25 == pytest.approx(0.992, abs=5e-4)


@pytest.mark.parametrize("case", [*CASES[:4], *CASES[6:]], ids=str)
def test_draws_invert_the_cdf(case):
    """Power's do not: they draw z and then zeta."""
    zeta = draws(make(case))
    found = make(case).cdf(zeta, LOGITS).numpy()
    inside = (zeta > 1e-3) & (zeta < 1 - 1e-3)
    assert inside.numpy().any(1).all()
    np.testing.assert_allclose(found[inside], np.broadcast_to(U, found.shape)[inside], atol=1e-12)


@pytest.mark.parametrize("case", WITH_DENSITY, ids=str)
def test_densities_integrate_to_one(case):
    """Over logits of zeta, with what is nearer to 0 and 1 than the grid by the cdf."""
    y = np.linspace(-30, 30, 4001)
    zeta = tf.constant(1 / (1 + np.exp(-y)))
    values = np.exp(make(case).log_prob(zeta, LOGITS)) * zeta * (1 - zeta)
    inside = np.sum((values[:, 1:] + values[:, :-1]) / 2 * np.diff(y), axis=1)
    ends = make(case).cdf(tf.stack([zeta[0], zeta[-1]]), LOGITS)
    np.testing.assert_allclose(inside + ends[:, 0] + 1 - ends[:, 1], np.ones(len(Q)), atol=1e-4)


def test_point_masses_have_no_density():
    relaxation = samplers.PiecewiseLinear()
    assert not hasattr(relaxation, "log_prob")
    zeta = tf.constant([-0.1, 0.0, 1.0, 1.1], tf.float64)
    np.testing.assert_allclose(
        relaxation.cdf(zeta, tf.zeros([], tf.float64)), [0, 0.5 - 0.5 * 0.26, 1, 1]
    )


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", samplers.RELAXATIONS)
def test_beta_must_be_positive(name, beta):
    with pytest.raises(ValueError, match="beta must be greater than 0"):
        samplers.RELAXATIONS[name](beta)


def test_defaults():
    """Of the papers' code."""
    betas = {name: relaxation().beta for name, relaxation in samplers.RELAXATIONS.items()}
    assert betas == {"concrete": 10, "exponential": 10, "piecewise_linear": 4, "power": 30}
    assert samplers.Power() == samplers.Power(30.0) != samplers.Power(20.0)
