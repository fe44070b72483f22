"""Hessians against finite differences, and stochastic log-determinants against exact ones."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from tanh_posterior import START, tanh_posterior

import samplers

RNG = np.random.default_rng(0)
# What is replaced in samplers/log_determinants.py, and by what.
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
    copies = tf.tile(START[None], [100, 1, 1])

    @tf.function(autograph=False)
    def value_and_slope(estimate, seed):
        with tf.GradientTape() as tape:
            tape.watch(size)
            value = tf.reduce_mean(estimate(tanh_posterior, copies, size, seed))
        return tf.stack([value, tape.gradient(value, size)])

    estimate = module.lanczos_log_det(num_steps=3)  # all there are: an error of the probes alone
    seeds = [samplers.as_seed(i) for i in range(40)]
    draws = np.array([value_and_slope(estimate, seed) for seed in seeds])
    assert draws.std(0).max() > 1e-4
    exact = value_and_slope(samplers.exact_log_det, seeds[0])
    return np.abs(z_scores(draws, exact.numpy())).max() / 4


def test_lanczos_and_its_gradient_are_right_on_average():
    assert lanczos_deviation(samplers) < 1


@pytest.mark.slow
@pytest.mark.parametrize("change", PROBES.values(), ids=PROBES)
def test_wrong_lanczos_is_rejected(change):
    assert not lanczos_deviation(mutant("samplers.log_determinants", *change)) < 1


@pytest.mark.parametrize(
    ("num_dims", "dtype", "compiled"),
    [(1, tf.float32, False), (4, tf.float64, False)]
    + [pytest.param(4, tf.float32, True, marks=pytest.mark.slow)],
)
def test_lanczos_ends_with_the_krylov_space(num_dims, dtype, compiled):
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

    log_det, in_size, in_state = run(tf.constant(0.3, dtype), tf.ones([2, num_dims], dtype))
    factor = 1 - 0.3**2 / 2 * 4
    np.testing.assert_allclose(log_det, [5 * num_dims * np.log(factor)] * 2, rtol=1e-5)
    np.testing.assert_allclose(in_size, 2 * 5 * num_dims * -0.3 * 4 / factor, rtol=1e-5)
    np.testing.assert_allclose(in_state, np.zeros([2, num_dims]), atol=1e-5)


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
