import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, mutant, z_scores

import samplers

VARIANCE = np.array([0.5, 2.0])
STEP_SIZE = 0.6
# x = W z + e with e ~ N(0, 0.5^2 I): the posterior's precision, and precision times mean.
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3)) / 2
PRECISION = np.eye(3) + WEIGHTS.T @ WEIGHTS / 0.5**2
SHIFT = WEIGHTS.T @ np.array([1.0, -0.5, 0.3, 2.0]) / 0.5**2
SIZES = np.array([0.7, 0.2, 0.5, 0.3])  # for six steps: the last serves the last three
WRONG = {
    "sqrt(s) noise": ("+ step_size * n", "+ step_size**0.5 * n"),
    "drift without the half": ("step_size**2 / 2 * g", "step_size**2 * g"),
    "step size for its square": ("step_size**2 / 2 * g", "step_size / 2 * g"),
    "flipped force": ("z + step_size**2 / 2 * g", "z - step_size**2 / 2 * g"),
    "one noise for all steps": ("fold_in(seed, i)", "fold_in(seed, 0)"),
}
WRONG_SIZES = {
    "size of the next step": ("step_size[tf.minimum(i,", "step_size[tf.minimum(i + 1,"),
    "first size for all steps": ("step_size[tf.minimum(i,", "step_size[tf.minimum(0,"),
    "sizes begin again": (
        "tf.minimum(i, tf.shape(step_size)[0] - 1)",
        "i % tf.shape(step_size)[0]",
    ),
}


def run(module, log_density, start, num_steps, step_size):
    @tf.function(jit_compile=True, autograph=False)
    def chain(start, num_steps, step_size):
        return module.langevin(log_density, start, num_steps=num_steps, step_size=step_size, seed=1)

    arguments = tf.constant(start), tf.constant(num_steps), tf.constant(step_size, tf.float64)
    return chain(*arguments).numpy()


def stationary_deviation(module):
    """From its own stationary law, N(0, v / (1 - s^2 / (4 v))), in units of 4 standard errors."""
    stationary = VARIANCE / (1 - STEP_SIZE**2 / (4 * VARIANCE))
    start = np.random.default_rng(0).standard_normal((40_000, 2)) * np.sqrt(stationary)
    end = run(module, lambda z: -0.5 * tf.reduce_sum(z**2 / VARIANCE, -1), start, 20, STEP_SIZE)
    expected = gaussian_moments(np.zeros(2), np.diag(stationary))
    return np.abs(z_scores(moments(end), expected)).max() / 4


def short_deviation(module):
    """After six steps of four sizes on a posterior, from the recursion of mean and covariance."""
    start = np.random.default_rng(0).standard_normal((40_000, 3))
    mean, covariance = np.zeros(3), np.eye(3)
    for size in [*SIZES, SIZES[-1], SIZES[-1]]:
        drift = size**2 / 2
        contraction = np.eye(3) - drift * PRECISION
        mean = contraction @ mean + drift * SHIFT
        covariance = contraction @ covariance @ contraction + 2 * drift * np.eye(3)

    def log_density(z):
        return tf.reduce_sum(z * SHIFT - 0.5 * z * tf.linalg.matvec(PRECISION, z), -1)

    end = run(module, log_density, start, 6, SIZES)
    return np.abs(z_scores(moments(end), gaussian_moments(mean, covariance))).max() / 4


def test_stationary_law():
    assert stationary_deviation(samplers) < 1


def test_short_run_law_with_a_size_for_every_step():
    assert short_deviation(samplers) < 1


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_steps_are_rejected(change):
    assert not stationary_deviation(mutant("samplers.langevin", *change)) < 1


@pytest.mark.parametrize("change", WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_wrong_sizes_are_rejected(change):
    assert not short_deviation(mutant("samplers.langevin", *change)) < 1


@pytest.mark.parametrize(
    ("convention", "drift", "noise"),
    [("noise", 0.3**2 / 2, 0.3), ("drift", 0.3, 0.6**0.5), ("tfp", 0.3 / 2, 0.3**0.5)],
)
def test_conventions(convention, drift, noise):
    """One step without noise and one without force, as each convention's source has them."""
    size = samplers.langevin_step_size(tf.constant(0.3, tf.float64), convention)
    z, force, n = (tf.constant(a, tf.float64) for a in ([1.0, 2.0], [3.0, -1.0], [0.5, -2.0]))
    step = samplers.langevin_step
    still = step(lambda z: tf.reduce_sum(z * force), z, size, tf.zeros_like(n))
    np.testing.assert_allclose(still, z + drift * force, rtol=1e-12)
    free = step(lambda z: tf.reduce_sum(0 * z), z, size, n)
    np.testing.assert_allclose(free, z + noise * n, rtol=1e-12)


def test_unknown_convention():
    with pytest.raises(ValueError, match="must be one of 'noise', 'drift', 'tfp'; it was 'hmc'"):
        samplers.langevin_step_size(0.1, "hmc")
