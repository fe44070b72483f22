import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores

import samplers
from samplers import annealed

DIMENSIONS = 20
# What is replaced in samplers/annealed.py, and by what.
WRONG = {
    "weight index shifted": (
        "increments[t] * difference",
        "tf.roll(increments, 1, 0)[t] * difference",
    ),
    "move before weight": ("schedule[t + 1], one.dtype", "schedule[t], one.dtype"),
    "sign of the increment": ("log_weights + increments", "log_weights - increments"),
    "one acceptance for the whole batch": (
        "energy(point, momentum) - energy(proposal, final_momentum)",
        "tf.reduce_mean(energy(point, momentum) - energy(proposal, final_momentum))"
        " + tf.zeros_like(point.log_final)",
    ),
    "momentum left out of the acceptance": ("event_sum(squares, num_chain_axes) / 2", "0.0"),
    "density of the last temperature in the acceptance": (
        "- energy(proposal, final_momentum)",
        # 0.01 is the mean increment: the cached density that biases TFP's implementation.
        "- energy(proposal, final_momentum) + 0.01 * (point.log_final - point.log_initial)",
    ),
    "ends of the path exchanged": (
        "(1 - beta) * self.log_initial + beta * self.log_final",
        "beta * self.log_initial + (1 - beta) * self.log_final",
    ),
}


def log_initial(z):
    return -0.5 * tf.reduce_sum(z**2 + np.log(2 * np.pi), -1)


def log_final(z):
    return -0.5 * tf.reduce_sum((z - 1) ** 2 / 0.5 + np.log(2 * np.pi * 0.5), -1)


def weights(module, num_chains=4096, schedule=None, start=None, seed=0):
    """Weights from N(0, I) to N(1, 0.5 I) with 100 increments: their mean is 1."""
    schedule = samplers.sigmoid_schedule(100) if schedule is None else schedule

    @tf.function(jit_compile=True, autograph=False)
    def run(seed):
        state = samplers.normal([num_chains, 1, DIMENSIONS], samplers.fold_in(seed, "start"))
        state = state if start is None else start(state)
        options = {"move": module.hamiltonian_move(5, jitter=0.5)}
        pilot = module.annealed_importance_sampling(
            log_initial,
            log_final,
            samplers.normal([256, 1, DIMENSIONS], samplers.fold_in(seed, "pilot start")),
            schedule,
            step_size=0.3,
            tuning_rate=0.1,
            seed=samplers.fold_in(seed, "pilot"),
            **options,
        )
        return module.annealed_importance_sampling(
            log_initial,
            log_final,
            state,
            schedule,
            step_size=pilot.step_size,
            seed=samplers.fold_in(seed, "run"),
            **options,
        )

    return run(samplers.as_seed(seed))


@pytest.mark.parametrize("schedule", [samplers.linear_schedule, samplers.sigmoid_schedule])
def test_mean_weight_is_one(schedule):
    result = weights(annealed, 8192, schedule(100))
    w = np.exp(result.log_weights.numpy().ravel())
    stderr = w.std(ddof=1) / np.sqrt(len(w))
    assert stderr <= 0.02
    assert abs(w.mean() - 1) < 4 * stderr
    assert 0.5 < np.mean(result.accept_prob) < 0.9


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_annealing_is_rejected(change):
    w = np.exp(weights(mutant("samplers.annealed", *change)).log_weights.numpy().ravel())
    assert not abs(z_scores(w, 1.0)) < 4


def test_reverse_run_is_the_inverse():
    """From exact draws of the final density, down the schedule: 1 / Z ratio, again 1."""
    reverse = samplers.sigmoid_schedule(100)[::-1]
    result = weights(annealed, schedule=reverse, start=lambda n: 1 + n * np.sqrt(0.5))
    assert abs(z_scores(np.exp(result.log_weights.numpy().ravel()), 1.0)) < 4


def test_energy_error():
    """Of one move: exp(-error) is what was accepted uphill, and downhill it is no less."""

    def move(step_size):
        result = annealed.annealed_importance_sampling(
            log_initial,
            log_initial,
            samplers.normal([1, 1000, DIMENSIONS], 0),
            tf.constant([0.0, 0.5]),
            step_size=step_size,
            move=annealed.hamiltonian_move(3),
            seed=1,
        )
        return result.accept_prob.numpy(), result.energy_error.numpy()

    accept_prob, error = move(0.3)
    uphill = accept_prob < 1
    assert 0.2 < uphill.mean() < 0.8
    np.testing.assert_allclose(np.exp(-error[uphill]), accept_prob[uphill], rtol=1e-5)
    assert (error[~uphill] >= 0).all() and error[~uphill].mean() > 0.01
    np.testing.assert_array_equal(move(1e9), [0 * error, 0 * error + 1000])


def test_exact_start_has_zero_variance():
    """Between equal densities every weight is the ratio of the normalisers, whatever happens."""
    result = annealed.annealed_importance_sampling(
        log_final,
        lambda z: log_final(z) + 2.5,
        samplers.normal([64, 3, DIMENSIONS], 0),
        samplers.sigmoid_schedule(7),
        step_size=0.5,
        move=annealed.hamiltonian_move(2),
        seed=1,
    )
    np.testing.assert_allclose(result.log_weights, 2.5, atol=1e-4)


def test_leapfrog_is_reversible_with_unit_determinant():
    """On a density that is not Gaussian, in float64, by the Jacobian of autodiff."""

    def evaluate(z):
        return annealed.evaluate(
            lambda z: -tf.reduce_sum(tf.math.log(tf.cosh(z)), -1),
            lambda z: -tf.reduce_sum(z**4, -1) / 4 + z[..., 0] * z[..., 1],
            z,
        )

    step_size = tf.constant([0.3, 0.2, 0.1], tf.float64)

    def integrate(z, p):
        point, p = annealed._leapfrog(evaluate, evaluate(z), p, 0.7, step_size, 5)
        return point.state, p

    start = samplers.normal([1, 6], 3, tf.float64)
    z, p = integrate(start[:, :3], start[:, 3:])
    back, p = integrate(z, -p)
    np.testing.assert_allclose(back, start[:, :3], atol=1e-12)
    np.testing.assert_allclose(-p, start[:, 3:], atol=1e-12)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(start)
        end = tf.concat(integrate(start[:, :3], start[:, 3:]), -1)[0]
    jacobian = tape.jacobian(end, start, experimental_use_pfor=False)[:, 0]
    assert abs(np.linalg.det(jacobian) - 1) < 1e-12


def test_shadow_energy_is_constant():
    """On N(0, s^2): p^2 + (z / s)^2 (1 - h^2 / 4) with h = eps / s is kept to round-off."""
    s, eps = 1.7, 1.1

    def evaluate(z):
        return annealed.evaluate(*2 * [lambda z: -0.5 * tf.reduce_sum((z / s) ** 2, -1)], z)

    def shadow(z, p):
        return (p**2 + (z / s) ** 2 * (1 - (eps / s) ** 2 / 4)).numpy()

    z, p = samplers.normal([50, 1], 1, tf.float64), samplers.normal([50, 1], 2, tf.float64)
    point, end = annealed._leapfrog(evaluate, evaluate(z), p, 1.0, tf.constant(eps, z.dtype), 9)
    np.testing.assert_allclose(shadow(point.state, end), shadow(z, p), rtol=1e-12)


def test_state_in_parts():
    """Latents in two parts anneal by the law of one vector."""

    def split(density):
        return lambda parts: density(tf.concat(parts, -1))

    @tf.function(jit_compile=True, autograph=False)
    def run():
        z = samplers.normal([4096, 1, DIMENSIONS], 0)
        return annealed.annealed_importance_sampling(
            split(log_initial),
            split(log_final),
            [z[..., :7], z[..., 7:]],
            samplers.sigmoid_schedule(100),
            step_size=0.4,
            move=annealed.hamiltonian_move(4, jitter=0.5),
            seed=1,
        ).log_weights

    assert abs(z_scores(np.exp(run().numpy().ravel()), 1.0)) < 4
