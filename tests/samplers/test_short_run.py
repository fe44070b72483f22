"""Log-determinants against autodiff Jacobians, and step sizes against their closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores

import samplers

PARTS = {
    "log-determinant left out": ("total + log_det", "total"),
    "sign of the log-determinant": ("total + log_det", "total - log_det"),
    "step size for its square": (
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) + step_size / 2 * hessian",
    ),
    "factor without the half": (
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) + step_size**2 * hessian",
    ),
    "sign of the Hessian": (
        "dtype=z.dtype) + step_size**2 / 2 * hessian",
        "dtype=z.dtype) - step_size**2 / 2 * hessian",
    ),
    "Hessian after the step": (
        "estimate(log_density, state, size,",
        "estimate(log_density, next_state, size,",
    ),
    "size of the next step": (
        "size = step_size_at(step_size, i)",
        "size = step_size_at(step_size, i + 1)",
    ),
}
SIZES = tf.constant([0.25, 0.1, 0.2, 0.15], tf.float64)
RNG = np.random.default_rng(0)
LAYERS = RNG.standard_normal((3, 8)), RNG.standard_normal((8, 5)) / 3
IMAGES = RNG.standard_normal((6, 5)) / 2
START = tf.constant(RNG.standard_normal((6, 3)))


def tanh_posterior(z):
    mean = tf.tanh(tf.tensordot(z, LAYERS[0], 1))
    error = IMAGES - tf.tensordot(mean, LAYERS[1], 1)
    return -0.5 * tf.reduce_sum(z**2, -1) - 0.5 * tf.reduce_sum(error**2, -1) / 0.4**2


def standard_normal(z):
    return -0.5 * tf.reduce_sum(z**2 + np.log(2 * np.pi), -1)


def short_run(module, log_det, step_size=SIZES, state=START, log_density=tanh_posterior, seed=3):
    return module.short_run(
        log_density, state, num_steps=5, step_size=step_size, seed=seed, log_det=log_det
    )


def jacobian_error(module):
    """Largest error of the log-determinant, against the Jacobian of the five unrolled steps."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(START)
        end = samplers.langevin(tanh_posterior, START, num_steps=5, step_size=SIZES, seed=3)
    _, expected = np.linalg.slogdet(tape.batch_jacobian(end, START, experimental_use_pfor=False))
    return np.abs(short_run(module, "exact").log_det - expected).max()


def test_log_det_is_that_of_the_jacobian():
    assert jacobian_error(samplers) < 1e-9


@pytest.mark.parametrize("change", PARTS.values(), ids=PARTS)
def test_wrong_log_dets_are_rejected(change):
    assert not jacobian_error(mutant("samplers.short_run", *change)) < 1e-3


@pytest.mark.parametrize("compiled", [False, True])
def test_same_chain_as_langevin(compiled):
    @tf.function(jit_compile=compiled, autograph=False)
    def both(z):
        end = samplers.langevin(tanh_posterior, z, num_steps=5, step_size=SIZES, seed=3)
        return end, short_run(samplers, None, state=z).state

    np.testing.assert_allclose(*both(START), rtol=1e-12)


@pytest.mark.parametrize("compiled", [None, False, True])
def test_parameters_get_no_gradient(compiled):
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

    if compiled is not None:
        value_and_gradients = tf.function(value_and_gradients, jit_compile=compiled)
    value, in_size, in_precision = value_and_gradients(tf.constant(0.5))
    np.testing.assert_allclose(value, [3 * 2 * np.log(0.75)], rtol=1e-5)
    np.testing.assert_allclose(in_size, 3 * 2 * -2 * 0.5 / 0.75, rtol=1e-5)
    assert in_precision is None


def test_unknown_log_det():
    with pytest.raises(ValueError, match="log_det must be 'exact', 'lanczos' or a callable"):
        short_run(samplers, "cholesky")


def test_hessian():
    z = tf.constant(RNG.standard_normal((2, 6, 3)))
    value = samplers.hessian(tanh_posterior, z).numpy()
    assert value.shape == (2, 6, 3, 3)
    for i in range(3):
        shift = 1e-5 * np.eye(3)[i]
        gradients = []
        for point in (z + shift, z - shift):
            with tf.GradientTape() as tape:
                tape.watch(point)
                density = tanh_posterior(point)
            gradients.append(tape.gradient(density, point).numpy())
        np.testing.assert_allclose(value[..., i], (gradients[0] - gradients[1]) / 2e-5, rtol=1e-6)


def objective(module, step_size, state=START, log_density=tanh_posterior, log_det="exact"):
    kwargs = {"num_steps": 5, "step_size": step_size, "seed": 3}
    if log_det is None:
        return module.marginal_step_size_objective(log_density, state, **kwargs)
    kwargs |= {"initial": standard_normal, "log_det": log_det}
    return module.step_size_objective(log_density, state, **kwargs)


@pytest.mark.parametrize("log_det", ["exact", None], ids=["conditional", "marginal"])
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_those_of_finite_differences(compiled, log_det):
    """In every size and in the start; of the sum of all chains' objectives, weighted at random."""

    @tf.function(jit_compile=compiled, autograph=False)
    def value_and_gradients(sizes, state):
        with tf.GradientTape() as tape:
            tape.watch([sizes, state])
            weights = tf.constant([0.3, -1.0, 2.0, 0.7, 1.1, -0.4], tf.float64)
            value = tf.tensordot(weights, objective(samplers, sizes, state, log_det=log_det), 1)
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


PROBES = {
    "step size for its square": ("factor = step_size**2 / 2", "factor = step_size / 2"),
    "weights without the square": ("first**2 *", "tf.abs(first) *"),
    "dimensions left out": ("value = num_dims * ", "value = "),
    "logarithm of the Hessian alone": ("eigh(identity + ", "eigh("),
    "gradient without the inverse": ("first / values", "first"),
    "gradient with half a probe": ("num_dims**0.5 * tf.linalg", "0.5 * tf.linalg"),
}


def lanczos_deviation(module):
    """Of log-determinants and their slopes in s, averaged over probes, in 4 standard errors."""
    size = tf.constant(0.25, tf.float64)
    copies = tf.tile(START[None], [50, 1, 1])

    @tf.function(autograph=False)
    def value_and_slope(estimate, seed):
        with tf.GradientTape() as tape:
            tape.watch(size)
            value = tf.reduce_mean(estimate(tanh_posterior, copies, size, seed))
        return tf.stack([value, tape.gradient(value, size)])

    estimate = module.lanczos_log_det(num_steps=3)  # all there are: an error of the probes alone
    seeds = [samplers.as_seed(i) for i in range(100)]
    draws = np.array([value_and_slope(estimate, seed) for seed in seeds])
    assert draws.std(0).max() > 1e-4
    exact = value_and_slope(samplers.exact_log_det, seeds[0])
    return np.abs(z_scores(draws, exact.numpy())).max() / 4


def test_lanczos_and_its_gradient_are_right_on_average():
    assert lanczos_deviation(samplers) < 1


@pytest.mark.parametrize("change", PROBES.values(), ids=PROBES)
def test_wrong_lanczos_is_rejected(change):
    assert not lanczos_deviation(mutant("samplers.short_run", *change)) < 1


@pytest.mark.parametrize(("dtype", "compiled"), [(tf.float64, False), (tf.float32, True)])
def test_lanczos_ends_with_the_krylov_space(dtype, compiled):
    """Where all curvatures are equal one step exhausts it: no probe's error, finite gradients."""

    @tf.function(jit_compile=compiled, autograph=False)
    def run(size, state):
        with tf.GradientTape() as tape:
            tape.watch([size, state])
            log_density = lambda z: -2 * tf.reduce_sum(z**2, -1)  # noqa: E731
            log_det = samplers.short_run(
                log_density, state, num_steps=5, step_size=size, seed=0, log_det="lanczos"
            ).log_det
        return log_det, *tape.gradient(log_det, [size, state])

    for num_dims in (1, 4):
        log_det, in_size, in_state = run(tf.constant(0.3, dtype), tf.ones([2, num_dims], dtype))
        factor = 1 - 0.3**2 / 2 * 4
        np.testing.assert_allclose(log_det, [5 * num_dims * np.log(factor)] * 2, rtol=1e-5)
        np.testing.assert_allclose(in_size, 2 * 5 * num_dims * -0.3 * 4 / factor, rtol=1e-5)
        np.testing.assert_allclose(in_state, np.zeros([2, num_dims]), atol=1e-5)


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
    "sum for mean": (
        "log_sum - tf.math.log(tf.cast(tf.shape(state)[0]",
        "log_sum - tf.math.log(tf.cast(1",
    ),
    "log-determinant added": ("initial(state) - end.log_det", "initial(state) + end.log_det"),
    "log-determinant left out": ("initial(state) - end.log_det", "initial(state)"),
    "density of the start": ("log_density(end.state)", "log_density(state)"),
}


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


def estimated_gap(module, num_steps, entropy, num_chains, compiled=True):
    """log p(x) minus the bound of every chain: its mean, standard error and slope in log s."""

    def log_joint(z):
        error = (1 - z) ** 2 / 0.25 + np.log(2 * np.pi * 0.25)
        return standard_normal(z) - 0.5 * tf.reduce_sum(error, -1)

    @tf.function(jit_compile=compiled, autograph=False)
    def evaluate(log_size, seed):
        kwargs = {"num_steps": num_steps, "seed": seed}
        start = samplers.normal([num_chains, 1], samplers.fold_in(seed, "start"), tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(log_size)
            size = samplers.langevin_step_size(tf.exp(log_size), "drift")
            if entropy == "conditional":
                value = module.step_size_objective(
                    log_joint, start, initial=standard_normal, step_size=size, **kwargs
                )
            else:
                value = module.marginal_step_size_objective(
                    log_joint, start, step_size=size, **kwargs
                )
            mean = tf.reduce_mean(value)
        error = tf.math.reduce_std(value) / num_chains**0.5
        return mean + LOG_EVIDENCE, error, tape.gradient(mean, log_size)

    return lambda size, seed=0: [
        a.numpy() for a in evaluate(tf.constant(np.log(size), tf.float64), samplers.as_seed(seed))
    ]


def bound_deviation(module, entropy, num_chains=1024):
    """Largest error of the bound in 4 standard errors, both ways."""
    evaluate = estimated_gap(module, 5, entropy, num_chains, compiled=False)
    deviations = []
    for size in (0.01, 0.03, 0.09, 0.15):
        mean, error, _ = evaluate(size)
        assert np.isfinite(mean)
        deviations.append(abs(mean - gap(size, 5, entropy)) / (4 * error))
    return max(deviations)


@pytest.mark.parametrize("entropy", ["conditional", "marginal"])
def test_bounds_are_below_the_evidence_by_their_gaps(entropy):
    assert bound_deviation(samplers, entropy) < 1


@pytest.mark.parametrize("name", BOUNDS)
def test_wrong_bounds_are_rejected(name):
    entropy = "conditional" if name.startswith(("log-det", "density")) else "marginal"
    assert not bound_deviation(mutant("samplers.short_run", *BOUNDS[name]), entropy) < 1


@pytest.mark.parametrize(("num_steps", "entropy"), OPTIMA)
def test_best_step_size(num_steps, entropy):
    """On a grid the point nearest to the closed form; by gradient descent, its optimum to 2 %."""
    best, least = OPTIMA[num_steps, entropy]
    fine = best * np.exp(np.linspace(-0.1, 0.1, 2001))
    gaps = [gap(size, num_steps, entropy) for size in fine]
    assert fine[np.argmin(gaps)] == pytest.approx(best, rel=0.01)
    assert min(gaps) == pytest.approx(least, abs=1e-4)

    evaluate = estimated_gap(
        samplers, num_steps, entropy, 4096 if entropy == "marginal" else 65_536
    )
    grid = np.geomspace(0.0035, 0.15, 8)
    assert np.argmin([evaluate(size)[0] for size in grid]) == np.argmin(
        [gap(size, num_steps, entropy) for size in grid]
    )
    if (num_steps, entropy) != (25, "marginal"):  # so flat that its noise is larger
        log_size = np.log(best * 1.3)
        for _ in range(10):
            _, _, slope = evaluate(np.exp(log_size))
            log_size -= slope / (0.4 if entropy == "marginal" else 3.0)
        assert np.exp(log_size) == pytest.approx(best, rel=0.02)
