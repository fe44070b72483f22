"""Weights of paths, in closed form: log w of a Gaussian path is a quadratic form of its noise."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers
from samplers import scored_paths

SIZE = 2
# The target is exp(LOG_NORMALIZER) N(MEAN, inverse PRECISION), the start N(0.3, 1.6^2).
PRECISION = np.array([[3.0, 1.2], [1.2, 1.0]])
MEAN, LOG_NORMALIZER = np.array([0.5, -1.0]), -1.7


def log_final(z):
    centred = z - MEAN
    quadratic = tf.reduce_sum(centred * tf.linalg.matvec(PRECISION, centred), -1)
    log_det = np.linalg.slogdet(PRECISION / (2 * np.pi))[1]
    return LOG_NORMALIZER + (log_det - quadratic) / 2


def log_initial(z):
    return -tf.reduce_sum(((z - 0.3) / 1.6) ** 2, -1) / 2 - SIZE * np.log(1.6 * np.sqrt(2 * np.pi))


def evaluate(z):
    return samplers.annealed_point_at(log_initial, log_final, z)


def underdamped(noise, *, betas, damping, step_size, num_leapfrog_steps=1, module=scored_paths):
    """log w, the end and its momentum, given all noise [chains, 2 + T, SIZE]."""
    point, momentum = evaluate(0.3 + 1.6 * noise[:, 0]), noise[:, 1]
    log_weights = -point.log_initial
    for t, beta in enumerate(betas):
        step = module.underdamped_step(
            evaluate,
            point,
            momentum,
            noise[:, 2 + t],
            damping=tf.constant(damping, tf.float64),
            step_size=tf.constant(step_size, tf.float64),
            num_leapfrog_steps=num_leapfrog_steps,
            gradient=lambda point, beta=beta: point.gradient(tf.constant(beta, tf.float64)),
        )
        point, momentum = step.point, step.momentum
        log_weights += step.log_ratio
    return log_weights + point.log_final, point.state, momentum


def log_mean_weight(log_weight, size):
    """log E[exp(f(e))], e ~ N(0, I), of a quadratic f, which its values at a few points say."""
    unit = np.eye(size)
    pairs = unit[:, None] + unit[None]
    points = np.concatenate([np.zeros((1, size)), unit, -unit, pairs.reshape(-1, size)])
    values = log_weight(points)
    constant, up, down = values[0], values[1 : size + 1], values[size + 1 : 2 * size + 1]
    linear = (up - down) / 2
    both = values[2 * size + 1 :].reshape(size, size)
    hessian = both - up[:, None] - up[None] + constant
    precision = np.eye(size) - hessian
    sign, log_det = np.linalg.slogdet(precision)
    if sign < 0:
        return np.inf
    return constant + linear @ np.linalg.solve(precision, linear) / 2 - log_det / 2


def error(module=scored_paths, **settings):
    num_steps = len(settings["betas"])
    size = (2 + num_steps) * SIZE

    def log_weight(points):
        noise = tf.reshape(points, [-1, 2 + num_steps, SIZE])
        return underdamped(noise, **settings, module=module)[0].numpy()

    return abs(log_mean_weight(log_weight, size) - LOG_NORMALIZER)


SETTINGS = [
    {"betas": [], "damping": 0.5, "step_size": 0.1},
    {"betas": [0.3, 1.0], "damping": 0.0, "step_size": 0.3},
    {"betas": [0.2, 0.5, 1.0], "damping": 0.9, "step_size": [0.2, 0.5]},
    {"betas": [1.0, 0.1], "damping": 0.6, "step_size": 0.4, "num_leapfrog_steps": 3},
    # Beyond what leapfrog steps are stable for.
    {"betas": [0.5, 1.0, 1.0], "damping": 0.0, "step_size": 1.4},
    {"betas": [0.5, 1.0], "damping": 0.8, "step_size": 1.3, "num_leapfrog_steps": 2},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_mean_weight_is_the_normaliser(settings):
    assert error(**settings) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tf.square(v) - tf.square(w)", "tf.square(w) - tf.square(v)"),
        ("refreshed, momentum)", "refreshed, refreshed)"),
        ("tf.sqrt(1 - tf.square(damping))", "(1 - damping)"),
        ("event_sum(change, num_chain_axes) / 2", "event_sum(change, num_chain_axes)"),
    ],
    ids=["reverse and forward swapped", "reverse at v'", "noise of another law", "no half"],
)
def test_wrong_weights_are_noticed(old, new):
    module = mutant("samplers.scored_paths", old, new)
    assert max(error(module, **settings) for settings in SETTINGS[1:4]) > 0.01


def test_without_damping_it_is_a_langevin_step_and_the_step_back():
    noise, beta, s = samplers.normal([9, 3, SIZE], 0, tf.float64), 0.6, 0.4
    start = evaluate(0.3 + 1.6 * noise[:, 0])
    log_weights, end, _ = underdamped(noise, betas=[beta], damping=0.0, step_size=s)

    def drift(point):
        return point.state + s**2 / 2 * point.gradient(beta)

    def log_prob(z, mean):
        return -tf.reduce_sum(((z - mean) / s) ** 2, -1) / 2

    np.testing.assert_allclose(end, drift(start) + s * noise[:, 2], rtol=1e-12)
    back = log_prob(start.state, drift(evaluate(end))) - log_prob(end, drift(start))
    expected = log_final(end) - log_initial(start.state) + back
    np.testing.assert_allclose(log_weights, expected, rtol=1e-10)


def test_determinants():
    """That of leapfrog steps is 1; T refreshments of SIZE momenta shrink volumes by g^(T SIZE)."""

    def log_det(num_steps, damping):
        noise = samplers.normal([1, 2 + num_steps, SIZE], 1, tf.float64)
        with tf.GradientTape(persistent=True) as tape:
            start = noise[:, :2]
            tape.watch(start)
            _, state, momentum = underdamped(
                tf.concat([start, noise[:, 2:]], 1),
                betas=np.linspace(0, 1, num_steps + 1)[1:],
                damping=damping,
                step_size=0.3,
                num_leapfrog_steps=2,
            )
            end = tf.concat([state, momentum], -1)[0]
        jacobian = tape.jacobian(end, start, experimental_use_pfor=False)
        jacobian = tf.reshape(jacobian, [2 * SIZE, 2 * SIZE])
        return tf.linalg.slogdet(jacobian)[1] - SIZE * np.log(1.6)  # z_0 is 0.3 + 1.6 noise

    assert abs(log_det(1, 1.0)) < 1e-10
    assert abs(log_det(3, 1.0)) < 1e-10
    assert abs(log_det(3, 0.7) - 3 * SIZE * np.log(0.7)) < 1e-10


def adjusted(seed, num_chains, betas=(0.4, 0.8), step_size=0.6):
    point = evaluate(0.3 + 1.6 * samplers.normal([num_chains, SIZE], seed, tf.float64))
    log_weights, log_choice, accept_prob = -point.log_initial, 0.0, []
    for t, beta in enumerate(betas):
        key = samplers.fold_in(seed, t)
        step = samplers.adjusted_step(
            evaluate,
            point,
            samplers.hmc_noise(point.state, point.log_final, key),
            step_size=tf.constant(step_size, tf.float64),
            log_density=lambda point, beta=beta: point.log_density(tf.constant(beta, tf.float64)),
            gradient=lambda point, beta=beta: point.gradient(tf.constant(beta, tf.float64)),
        )
        point = step.point
        log_weights += step.log_ratio
        log_choice += step.log_choice
        accept_prob.append(step.info.accept_prob)
    return log_weights + point.log_final, log_choice, tf.stack(accept_prob)


def test_adjusted_steps_are_annealed_importance_sampling():
    log_weights, log_choice, accept_prob = adjusted(3, 100_000)
    weights = np.exp(log_weights - LOG_NORMALIZER)
    stderr = weights.std() / np.sqrt(len(weights))
    assert abs(weights.mean() - 1) < 4 * stderr < 0.1
    assert 0.5 < np.mean(accept_prob) < 0.97


def wrong_choices(module):
    """How many chains are told another probability of what they did."""
    point = evaluate(0.3 + 1.6 * samplers.normal([2000, SIZE], 3, tf.float64))
    step = module.adjusted_step(
        evaluate,
        point,
        samplers.hmc_noise(point.state, point.log_final, 5),
        step_size=tf.constant(1.0, tf.float64),
        log_density=lambda point: point.log_final,
        gradient=lambda point: point.grad_final,
    )
    moved = np.any(step.point.state != point.state, -1)
    assert 0.2 < moved.mean() < 0.95
    expected = np.where(moved, step.info.accept_prob, 1 - step.info.accept_prob)
    return np.sum(np.abs(np.exp(step.log_choice) - expected) > 1e-10)


def test_choices_have_their_probabilities():
    assert wrong_choices(scored_paths) == 0
    old, new = "probability, 1 - probability)", "probability, 1.0)"
    assert wrong_choices(mutant("samplers.scored_paths", old, new)) > 100
