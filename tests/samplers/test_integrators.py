"""The leapfrog against what it must conserve, and Langevin steps against it."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers
from samplers import integrators

STEP_SIZES = tf.constant(0.3, tf.float64), tf.constant([0.2, 0.1], tf.float64)
KICKS = "(point.state, kick(momentum, point, 0.5)),"
# What is replaced in samplers/integrators.py, and by what; and which check finds it.
WRONG = {
    "no half kick at the end": ("point, kick(momentum, point, 0.5)", "point, momentum", "back"),
    "drift before the first kick": (KICKS, KICKS.replace("0.5", "0.0"), "back"),
    "friction": ("p + fraction * s * g", "0.99 * p + fraction * s * g", "determinant"),
    "first order": (KICKS, KICKS.replace("0.5", "0.7"), "order"),
    "one drift too few": ("        num_steps - 1,", "        num_steps - 2,", "number"),
    "one size for all parts": ("for_each_part(step_size,", "for_each_part(step_size[0],", "number"),
}


def log_density(parts):
    """Of no Gaussian; of two parts, [chains, 1] and [chains, 2]."""
    z = tf.concat(parts, -1)
    return z[..., 0] * z[..., 1] - tf.reduce_sum(z**4 / 4 + tf.math.log(tf.cosh(z)), -1)


def evaluate(state):
    return samplers.point_at(log_density, state)


def in_parts(z):
    return [z[..., :1], z[..., 1:]]


def integrate(module, start, step_size=STEP_SIZES, num_steps=5):
    """From states and momenta [chains, 6] to those at the end."""
    point = evaluate(in_parts(start[..., :3]))
    point, momentum = module.leapfrog(
        evaluate,
        point,
        in_parts(start[..., 3:]),
        step_size=list(step_size),
        num_steps=num_steps,
    )
    np.testing.assert_array_equal(point.log_density, log_density(point.state))
    return tf.concat([*point.state, *momentum], -1)


def errors(module):
    """Of reversibility, of the determinant, of the order, and of the number of steps."""
    start = samplers.normal([1, 6], 3, tf.float64)
    signs = tf.constant([1.0] * 3 + [-1.0] * 3, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(start)
        end = integrate(module, start)
        row = end[0]
    jacobian = tape.jacobian(row, start, experimental_use_pfor=False)[:, 0]
    back = signs * integrate(module, signs * end)

    # As often kicked as moved, by its definition.
    z, p = np.split(start.numpy(), 2, -1)
    size = np.concatenate([np.full(1, STEP_SIZES[0]), STEP_SIZES[1]])
    force = lambda z: np.concatenate(evaluate(in_parts(tf.constant(z))).gradient, -1)  # noqa: E731
    for _ in range(5):
        p = p + size / 2 * force(z)
        z = z + size * p
        p = p + size / 2 * force(z)

    # Trajectories of equal length: half the step size is a quarter of the energy error.
    many = samplers.normal([200, 6], 4, tf.float64)

    def energy_error(factor):
        def energy(point):
            return tf.reduce_sum(point[:, 3:] ** 2, -1) / 2 - log_density(in_parts(point[:, :3]))

        sizes = [size * factor for size in STEP_SIZES]
        moved = integrate(module, many, sizes, round(5 / factor))
        return np.std(energy(moved) - energy(many))

    order = np.log2(energy_error(0.5) / energy_error(0.25))
    return {
        "back": np.abs(back - start).max() / 1e-12,
        "determinant": abs(np.linalg.det(jacobian) - 1) / 1e-12,
        "number": np.abs(end - np.concatenate([z, p], -1)).max() / 1e-12,
        "order": abs(order - 2) / 0.1,
    }


def test_leapfrog():
    found = errors(integrators)
    assert max(found.values()) < 1, found


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_wrong_leapfrogs_are_rejected(name):
    old, new, check = WRONG[name]
    assert errors(mutant("samplers.integrators", old, new))[check] > 3


def test_shadow_energy_is_constant():
    """On N(0, s^2): p^2 + (z / s)^2 (1 - h^2 / 4) with h = eps / s is kept to round-off."""
    s, eps = 1.7, 1.1

    def evaluate(z):
        return samplers.point_at(lambda z: -0.5 * tf.reduce_sum((z / s) ** 2, -1), z)

    def shadow(z, p):
        return (p**2 + (z / s) ** 2 * (1 - (eps / s) ** 2 / 4)).numpy()

    z, p = samplers.normal([50, 1], 1, tf.float64), samplers.normal([50, 1], 2, tf.float64)
    point, end = samplers.leapfrog(evaluate, evaluate(z), p, step_size=eps, num_steps=9)
    np.testing.assert_allclose(shadow(point.state, end), shadow(z, p), rtol=1e-12)


def test_cost_is_one_gradient_a_step():
    calls = []

    def evaluate(z):
        calls.append(z)
        return samplers.point_at(lambda z: -tf.reduce_sum(z**2, -1), z)

    z = tf.ones([2, 3])
    samplers.leapfrog(evaluate, evaluate(z), z, step_size=0.1, num_steps=tf.constant(7))
    assert len(calls) == 1 + 7


def test_trajectories_can_be_differentiated():
    """As HVI needs it: in the step size and in a parameter of the density, compiled or not."""

    def end(size, mean):
        def evaluate(z):
            return samplers.point_at(lambda z: -tf.reduce_sum((z - mean) ** 4, -1), z)

        z = tf.constant([[0.3, -0.4]], tf.float64)
        point, momentum = samplers.leapfrog(
            evaluate, evaluate(z), 2 * z, step_size=size, num_steps=3, max_num_steps=3
        )
        return tf.reduce_sum(point.state * [1, 2] + momentum) + point.log_density[0]

    def gradients(size, mean):
        with tf.GradientTape() as tape:
            tape.watch([size, mean])
            value = end(size, mean)
        return tape.gradient(value, [size, mean])

    size, mean, h = (tf.constant(value, tf.float64) for value in (0.2, 0.1, 1e-6))
    expected = [
        (end(size + h, mean) - end(size - h, mean)) / (2 * h),
        (end(size, mean + h) - end(size, mean - h)) / (2 * h),
    ]
    compiled = tf.function(gradients, jit_compile=True, autograph=False)
    for found in (gradients(size, mean), compiled(size, mean)):
        np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_langevin_step_is_one_leapfrog_step():
    start = samplers.normal([4, 6], 3, tf.float64)
    state, noise = start[:, :3], start[:, 3:]
    size = tf.constant(0.3, tf.float64)
    point = evaluate(in_parts(state))
    expected, _ = samplers.leapfrog(evaluate, point, in_parts(noise), step_size=size, num_steps=1)
    found = samplers.langevin_step(log_density, in_parts(state), size, in_parts(noise))
    for a, b in zip(found, expected.state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


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
