import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores

import samplers
from samplers import annealed

DIMENSIONS = 5
RATIO = "energy(point, noise.momentum) - energy(proposal, end)"
# What is replaced in a module of samplers, and by what.
WRONG = {
    "weight index shifted": (
        "annealed",
        "increments[t] * difference",
        "tf.roll(increments, 1, 0)[t] * difference",
    ),
    "move before weight": ("annealed", "schedule[t + 1], one.dtype", "schedule[t], one.dtype"),
    "sign of the increment": ("annealed", "log_weights + increments", "log_weights - increments"),
    "one acceptance for the whole batch": (
        "hamiltonian",
        RATIO,
        f"tf.reduce_mean({RATIO}) + tf.zeros_like(noise.choice)",
    ),
    "momentum left out of the acceptance": (
        "hamiltonian",
        "event_sum(squares, num_chain_axes) / 2",
        "0.0",
    ),
    "density of the last temperature in the acceptance": (
        "hamiltonian",
        RATIO,
        # 1 / 8 is the mean increment: the cached density that biases TFP's implementation.
        f"{RATIO} + (point.log_final - point.log_initial) / 8",
    ),
    "ends of the path exchanged": (
        "annealed",
        "(1 - beta) * self.log_initial + beta * self.log_final",
        "beta * self.log_initial + (1 - beta) * self.log_final",
    ),
}


def log_initial(z):
    return -0.5 * tf.reduce_sum(z**2 + np.log(2 * np.pi), -1)


def log_final(z):
    return -0.5 * tf.reduce_sum((z - 1) ** 2 / 0.5 + np.log(2 * np.pi * 0.5), -1)


def anneal(state, schedule, module=annealed, densities=(log_initial, log_final), **kwargs):
    kwargs = {"step_size": 0.7, "move": module.hamiltonian_move(3, jitter=0.5), "seed": 1} | kwargs
    return module.annealed_importance_sampling(*densities, state, schedule, **kwargs)


def start(num_chains=4096, seed=2):
    return samplers.normal([num_chains, 1, DIMENSIONS], seed)


def weight_deviation(result):
    """From N(0, I) to N(1, 0.5 I) the mean weight is 1: how far from it, in 4 standard errors."""
    return abs(z_scores(np.exp(result.log_weights.numpy().ravel()), 1.0)) / 4


def test_mean_weight_is_one():
    """In 20 dimensions, compiled, with step sizes of a pilot run, on both schedules."""

    @tf.function(jit_compile=True, autograph=False)
    def run(schedule, step_size, tuning_rate, seed):
        return anneal(
            samplers.normal([1024, 1, 20], samplers.fold_in(seed, "start")),
            schedule,
            step_size=step_size,
            move=annealed.hamiltonian_move(5, jitter=0.5),
            tuning_rate=tuning_rate,
            seed=samplers.fold_in(seed, "run"),
        )

    for schedule in (samplers.linear_schedule(50), samplers.sigmoid_schedule(50)):
        untuned = tf.fill([50, 1, 1], 0.3)
        pilot = run(schedule, untuned, tf.constant(0.1), samplers.as_seed(0))
        result = run(schedule, pilot.step_size, tf.constant(0.0), samplers.as_seed(1))
        np.testing.assert_array_equal(result.step_size, pilot.step_size)
        assert weight_deviation(result) < 1
        assert np.exp(result.log_weights).std() / 1024**0.5 < 0.12
        assert 0.5 < np.mean(result.accept_prob) < 0.9
        np.testing.assert_array_equal(result.num_divergences, np.zeros([50, 1, 1]))


def test_few_temperatures_and_their_reverse():
    """Down the schedule from exact draws of the final density the mean weight is 1 as well."""
    schedule = samplers.sigmoid_schedule(8)
    assert weight_deviation(anneal(start(), schedule)) < 1
    assert weight_deviation(anneal(1 + start() * 0.5**0.5, schedule[::-1])) < 1


@pytest.mark.slow
@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_annealing_is_rejected(change):
    name, *change = change
    users = ["samplers.annealed"] * (name != "annealed")
    module = mutant(f"samplers.{name}", *change, *users)
    assert not weight_deviation(anneal(start(), samplers.sigmoid_schedule(8), module)) < 1


def test_exact_start_has_zero_variance():
    """Between equal densities every weight is the ratio of the normalisers, whatever happens."""
    densities = log_final, lambda z: log_final(z) + 2.5
    result = anneal(start(64), samplers.sigmoid_schedule(7), densities=densities)
    np.testing.assert_allclose(result.log_weights, 2.5, atol=1e-4)


def test_state_in_parts():
    """Latents in two parts anneal as one vector, in whatever units each part and its steps are."""

    @tf.function(autograph=False)
    def run(z, unit):
        def split(density):
            return lambda parts: density(tf.concat([parts[0], parts[1] / unit], -1))

        return anneal(
            [z[..., :2], unit * z[..., 2:]],
            samplers.sigmoid_schedule(8),
            densities=(split(log_initial), split(log_final)),
            move=annealed.hamiltonian_move(3, scale=[1.0, unit]),
        )

    one, eight = run(start(), tf.constant(1.0)), run(start(), tf.constant(8.0))
    assert weight_deviation(one) < 1 and 0.7 < np.mean(one.accept_prob) < 0.99
    np.testing.assert_allclose(eight.log_weights, one.log_weights, rtol=1e-5)
    np.testing.assert_allclose(eight.state[1] / 8, one.state[1], rtol=1e-5)
    assert [part.shape for part in one.state] == [(4096, 1, 2), (4096, 1, 3)]


def test_diagnostics_of_moves():
    """A move of known acceptance ratios: divergences are counted, and left out of the mean."""
    ratios = tf.constant([[0.5, -0.25], [-900.0, 900.0], [3.0, -1001.0], [-np.inf, 1e9]])

    def take(evaluate, point, beta, step_size, noise):
        t = tf.cast(tf.round(4 * beta), tf.int32) - 1
        return point, samplers.transition_info(ratios[t][:, None])

    move = annealed.Move(lambda point, seed: (), take)

    result = anneal(tf.zeros([2, 1, DIMENSIONS]), samplers.linear_schedule(4), move=move)
    np.testing.assert_array_equal(result.num_divergences[:, 0, 0], [0, 0, 1, 2])
    np.testing.assert_array_equal(result.energy_error[:, 0, 0], [0.375, 900, 3, 0])
    expected = [(1 + np.exp(-0.25)) / 2, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(result.accept_prob[:, 0, 0], expected, rtol=1e-6)


def test_energy_error():
    """Of one move: exp(-error) is what was accepted uphill, and downhill it is no less."""

    def move(step_size):
        z = samplers.normal([1, 1000, DIMENSIONS], 0)
        result = anneal(z, tf.constant([0.0, 0.5]), step_size=step_size)
        return [value.numpy() for value in result[2:5]]

    accept_prob, error, num_divergences = move(0.7)
    uphill = accept_prob < 1
    assert 0.2 < uphill.mean() < 0.8 and not num_divergences.any()
    np.testing.assert_allclose(np.exp(-error[uphill]), accept_prob[uphill], rtol=1e-5)
    assert (error[~uphill] >= 0).all() and error[~uphill].mean() > 0.01
    np.testing.assert_array_equal(move(1e9), [0 * error, 0 * error, 0 * error + 1])


def test_step_sizes_are_one_or_one_a_move():
    with pytest.raises(ValueError, match=r"have one for each of 7 moves; its shape was \(8,\)"):
        anneal(start(4), samplers.linear_schedule(7), step_size=tf.fill([8], 0.1))
    given = tf.constant([0.1, 0.2, 0.3])
    schedule = samplers.linear_schedule(4)
    result = anneal(start(4), schedule, step_size=given, last_move=False)
    np.testing.assert_array_equal(result.step_size[:, 0, 0], given)
    assert anneal(start(4), samplers.jump_schedule(1), last_move=False).accept_prob.shape[0] == 0
