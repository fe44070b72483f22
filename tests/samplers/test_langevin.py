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
# What is replaced in a module of samplers, and by what.
WRONG = {
    "sqrt(s) noise": ("integrators", "+ step_size * n", "+ step_size**0.5 * n"),
    "drift without the half": ("integrators", "step_size**2 / 2 * g", "step_size**2 * g"),
    "step size for its square": ("integrators", "step_size**2 / 2 * g", "step_size / 2 * g"),
    "flipped force": ("integrators", "z + step_size**2 / 2 * g", "z - step_size**2 / 2 * g"),
    "one noise for all steps": ("langevin", "noise_of(i + 1, state)", "noise_of(0, state)"),
}
WRONG_SIZES = {
    "size of the next step": (
        "integrators",
        "step_size[tf.minimum(i,",
        "step_size[tf.minimum(i + 1,",
    ),
    "first size for all steps": (
        "integrators",
        "step_size[tf.minimum(i,",
        "step_size[tf.minimum(0,",
    ),
    "sizes begin again": (
        "integrators",
        "tf.minimum(i, tf.shape(step_size)[0] - 1)",
        "i % tf.shape(step_size)[0]",
    ),
}


def wrong(name, old, new):
    users = () if name == "langevin" else ("samplers.langevin",)
    return mutant(f"samplers.{name}", old, new, *users)


def run(module, log_density, start, num_steps, step_size, compiled=False):
    def chain(start, num_steps, step_size):
        return module.langevin(log_density, start, num_steps=num_steps, step_size=step_size, seed=1)

    if compiled:
        chain = tf.function(chain, jit_compile=True, autograph=False)
    arguments = tf.constant(start), tf.constant(num_steps), tf.constant(step_size, tf.float64)
    return chain(*arguments).numpy()


def stationary_deviation(module, **kwargs):
    """From its own stationary law, N(0, v / (1 - s^2 / (4 v))), in units of 4 standard errors."""
    stationary = VARIANCE / (1 - STEP_SIZE**2 / (4 * VARIANCE))
    start = np.random.default_rng(0).standard_normal((10_000, 2)) * np.sqrt(stationary)
    end = run(
        module, lambda z: -0.5 * tf.reduce_sum(z**2 / VARIANCE, -1), start, 20, STEP_SIZE, **kwargs
    )
    expected = gaussian_moments(np.zeros(2), np.diag(stationary))
    return np.abs(z_scores(moments(end), expected)).max() / 4


def short_deviation(module, **kwargs):
    """After six steps of four sizes on a posterior, from the recursion of mean and covariance."""
    start = np.random.default_rng(0).standard_normal((10_000, 3))
    mean, covariance = np.zeros(3), np.eye(3)
    for size in [*SIZES, SIZES[-1], SIZES[-1]]:
        drift = size**2 / 2
        contraction = np.eye(3) - drift * PRECISION
        mean = contraction @ mean + drift * SHIFT
        covariance = contraction @ covariance @ contraction + 2 * drift * np.eye(3)

    def log_density(z):
        return tf.reduce_sum(z * SHIFT - 0.5 * z * tf.linalg.matvec(PRECISION, z), -1)

    end = run(module, log_density, start, 6, SIZES, **kwargs)
    return np.abs(z_scores(moments(end), gaussian_moments(mean, covariance))).max() / 4


@pytest.mark.parametrize("compiled", [False, True])
def test_laws(compiled):
    assert stationary_deviation(samplers, compiled=compiled) < 1
    assert short_deviation(samplers, compiled=compiled) < 1


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_steps_are_rejected(change):
    assert not stationary_deviation(wrong(*change)) < 1


@pytest.mark.parametrize("change", WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_wrong_sizes_are_rejected(change):
    assert not short_deviation(wrong(*change)) < 1
