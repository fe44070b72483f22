"""Log-determinants against autodiff Jacobians, and step sizes against their closed forms."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from tanh_posterior import START, tanh_posterior

import samplers

# What is replaced in a module of samplers, and by what.
PARTS = {
    "log-determinant left out": ("short_run", "total + log_det", "total"),
    "sign of the log-determinant": ("short_run", "total + log_det", "total - log_det"),
    "step size for its square": (
        "log_determinants",
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) + step_size / 2 * hessian",
    ),
    "factor without the half": (
        "log_determinants",
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) + step_size**2 * hessian",
    ),
    "sign of the Hessian": (
        "log_determinants",
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) - step_size**2 / 2 * hessian",
    ),
    "Hessian after the step": (
        "short_run",
        "estimate(log_density, state, size,",
        "estimate(log_density, next_state, size,",
    ),
    "size of the next step": (
        "short_run",
        "size = step_size_at(step_size, i)",
        "size = step_size_at(step_size, i + 1)",
    ),
}
SIZES = tf.constant([0.25, 0.1, 0.2, 0.15], tf.float64)
RNG = np.random.default_rng(0)


def standard_normal(z):
    return -0.5 * tf.reduce_sum(z**2 + np.log(2 * np.pi), -1)


def short_run(module, log_det, step_size=SIZES, state=START, log_density=tanh_posterior, seed=3):
    return module.short_run(
        log_density, state, num_steps=5, step_size=step_size, seed=seed, log_det=log_det
    )


@functools.cache
def jacobian_log_det():
    """From the Jacobian of the five unrolled steps."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(START)
        end = samplers.langevin(tanh_posterior, START, num_steps=5, step_size=SIZES, seed=3)
    return np.linalg.slogdet(tape.batch_jacobian(end, START, experimental_use_pfor=False))[1]


def jacobian_error(module):
    return np.abs(short_run(module, "exact").log_det - jacobian_log_det()).max()


def test_log_det_is_that_of_the_jacobian():
    assert jacobian_error(samplers) < 1e-9


@pytest.mark.parametrize("change", PARTS.values(), ids=PARTS)
def test_wrong_log_dets_are_rejected(change):
    name, old, new = change
    users = () if name == "short_run" else ("samplers.short_run",)
    assert not jacobian_error(mutant(f"samplers.{name}", old, new, *users)) < 1e-3


@pytest.mark.parametrize("compiled", [False, True])
def test_same_chain_as_langevin(compiled):
    @tf.function(jit_compile=compiled, autograph=False)
    def both(z):
        end = samplers.langevin(tanh_posterior, z, num_steps=5, step_size=SIZES, seed=3)
        return end, short_run(samplers, None, state=z).state

    np.testing.assert_allclose(*both(START), rtol=1e-12)


@pytest.mark.parametrize("eager", [True, False])
def test_parameters_get_no_gradient(eager):
    """Variables may be inside the log density: they are read, whatever tape records them."""
    precision = tf.Variable(2.0)

    def value_and_gradients(size):
        with tf.GradientTape() as tape:
            tape.watch(size)
            result = three_steps(precision, size)
        return result, *tape.gradient(result, [size, precision])

    def three_steps(precision, size):
        def log_density(z):
            return -0.5 * precision * tf.reduce_sum(z**2, -1)

        kwargs = {"num_steps": 3, "step_size": size, "seed": 0, "log_det": "exact"}
        return samplers.short_run(log_density, tf.ones([1, 2]), **kwargs).log_det

    if not eager:
        value_and_gradients = tf.function(value_and_gradients, autograph=False)
    value, in_size, in_precision = value_and_gradients(tf.constant(0.5))
    np.testing.assert_allclose(value, [3 * 2 * np.log(0.75)], rtol=1e-5)
    np.testing.assert_allclose(in_size, 3 * 2 * -2 * 0.5 / 0.75, rtol=1e-5)
    assert in_precision is None


def test_unknown_log_det():
    with pytest.raises(ValueError, match="log_det must be 'exact', 'lanczos' or a callable"):
        short_run(samplers, "cholesky")


def objective(module, step_size, state=START, log_density=tanh_posterior, log_det="exact"):
    kwargs = {"num_steps": 5, "step_size": step_size, "seed": 3}
    if log_det is None:
        return module.marginal_step_size_objective(log_density, state, **kwargs)
    kwargs |= {"initial": standard_normal, "log_det": log_det}
    return module.step_size_objective(log_density, state, **kwargs)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_are_those_of_finite_differences(compiled):
    """In every size and in the start; of objectives of all chains, weighted at random."""
    names = ("exact",) if compiled else ("exact", None)
    weights = RNG.standard_normal((len(names), 6))

    @tf.function(jit_compile=compiled, autograph=False)
    def value_and_gradients(sizes, state):
        with tf.GradientTape() as tape:
            tape.watch([sizes, state])
            both = [objective(samplers, sizes, state, log_det=name) for name in names]
            value = tf.reduce_sum(weights * tf.stack(both))
        return value, *tape.gradient(value, [sizes, state])

    def difference(step_in_sizes, step_in_state):
        values = [
            value_and_gradients(SIZES + sign * step_in_sizes, START + sign * step_in_state)[0]
            for sign in (1e-6, -1e-6)
        ]
        return (values[0] - values[1]) / 2e-6

    _, in_sizes, in_state = value_and_gradients(SIZES, START)
    for i in range(4):
        np.testing.assert_allclose(in_sizes[i], difference(np.eye(4)[i], 0.0), rtol=1e-5)
    direction = RNG.standard_normal((6, 3))
    expected = difference(0.0, direction)
    np.testing.assert_allclose(tf.reduce_sum(in_state * direction), expected, rtol=1e-5)


# z ~ N(0, 1), x given z ~ N(z, 0.25), seen: x = 1. Step sizes here are those of the drift.
LOG_EVIDENCE = -0.5 * (np.log(2 * np.pi * 1.25) + 1 / 1.25)
PRECISION, MEAN = 5.0, 0.8
OPTIMA = {  # steps, entropy: best step size and the bound's gap there
    (25, "marginal"): (0.0310, 0.0021),
    (25, "conditional"): (0.0077, 0.6908),
    (5, "marginal"): (0.0897, 0.0228),
    (5, "conditional"): (0.0349, 0.7239),
}
BOUNDS = {
    "noise of the square root": ("mean + size * noise_like", "mean + size**0.5 * noise_like"),
    "last density of a unit scale": ("(end[:, None] - mean) / size", "(end[:, None] - mean)"),
    "start in place of the last mean": ("(end[:, None] - mean)", "(end[:, None] - state)"),
    "sum for mean": ("log_mean_exp(log_normal, axis=1)", "tf.reduce_logsumexp(log_normal, 1)"),
    "log-determinant added": ("initial(state) - end.log_det", "initial(state) + end.log_det"),
    "log-determinant left out": ("initial(state) - end.log_det", "initial(state)"),
    "density of the start": ("log_density(end.state)", "log_density(state)"),
}


NUM_CHAINS = {"marginal": 4096, "conditional": 20_000}


def gap(step_size, num_steps, entropy):
    """log p(x) minus the bound, in closed form: KL(q || p), plus I(z_K; noise) if conditional."""
    mean, variance = 0.0, 1.0
    for _ in range(num_steps):
        mean += step_size * PRECISION * (MEAN - mean)
        variance = (1 - step_size * PRECISION) ** 2 * variance + 2 * step_size
    divergence = (
        PRECISION * (variance + (mean - MEAN) ** 2) - 1 - np.log(PRECISION * variance)
    ) / 2
    if entropy == "marginal":
        return divergence
    return divergence + np.log(variance) / 2 - num_steps * np.log(abs(1 - step_size * PRECISION))


def estimated_gap(module, step_size, num_steps, entropy, num_chains, seed=0):
    """log p(x) minus the bound, of every chain."""

    def log_joint(z):
        error = (1 - z) ** 2 / 0.25 + np.log(2 * np.pi * 0.25)
        return standard_normal(z) - 0.5 * tf.reduce_sum(error, -1)

    start = samplers.normal([num_chains, 1], samplers.fold_in(seed, "start"), tf.float64)
    size = samplers.langevin_step_size(tf.convert_to_tensor(step_size, tf.float64), "drift")
    kwargs = {"num_steps": num_steps, "step_size": size, "seed": seed}
    if entropy == "conditional":
        value = module.step_size_objective(log_joint, start, initial=standard_normal, **kwargs)
    else:
        value = module.marginal_step_size_objective(log_joint, start, **kwargs)
    return value + LOG_EVIDENCE


def bound_deviation(module, entropy):
    """Largest error of the bound in 4 standard errors, both ways."""
    deviations = []
    for size in (0.01, 0.03, 0.09, 0.15):
        gaps = estimated_gap(module, size, 5, entropy, num_chains=1024).numpy()
        assert np.isfinite(gaps).all()
        deviations.append(np.abs(z_scores(gaps, gap(size, 5, entropy))) / 4)
    return max(deviations)


@pytest.mark.parametrize("entropy", ["conditional", "marginal"])
def test_bounds_are_below_the_evidence_by_their_gaps(entropy):
    assert bound_deviation(samplers, entropy) < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_wrong_bounds_are_rejected(name):
    entropy = "conditional" if name.startswith(("log-det", "density")) else "marginal"
    assert not bound_deviation(mutant("samplers.short_run", *BOUNDS[name]), entropy) < 1


@pytest.mark.parametrize(
    ("num_steps", "entropy"),
    [
        case if case == (5, "conditional") else pytest.param(*case, marks=pytest.mark.slow)
        for case in OPTIMA
    ],
)
def test_best_step_size(num_steps, entropy):
    """On a grid the point nearest to the closed form; by gradient descent, its optimum to 2 %."""
    case = num_steps, entropy
    best, least = OPTIMA[case]
    fine = best * np.exp(np.linspace(-0.1, 0.1, 2001))
    gaps = [gap(size, *case) for size in fine]
    assert fine[np.argmin(gaps)] == pytest.approx(best, rel=0.01)
    assert min(gaps) == pytest.approx(least, abs=1e-4)

    @tf.function(jit_compile=True, autograph=False)
    def value_and_slope(log_size):
        with tf.GradientTape() as tape:
            tape.watch(log_size)
            gaps = estimated_gap(samplers, tf.exp(log_size), *case, NUM_CHAINS[entropy])
            mean = tf.reduce_mean(gaps)
        return mean, tape.gradient(mean, log_size)

    def evaluate(log_size):
        return [value.numpy() for value in value_and_slope(tf.constant(log_size, tf.float64))]

    grid = np.geomspace(0.0035, 0.15, 8)
    assert np.argmin([evaluate(np.log(size))[0] for size in grid]) == np.argmin(
        [gap(size, *case) for size in grid]
    )
    if case != (25, "marginal"):  # so flat that its noise is larger
        log_size = np.log(best * 1.3)
        for _ in range(10):
            _, slope = evaluate(log_size)
            log_size -= slope / (0.4 if entropy == "marginal" else 3.0)
        assert np.exp(log_size) == pytest.approx(best, rel=0.02)
