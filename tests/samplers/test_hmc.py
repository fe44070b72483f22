import numpy as np
import pytest
import tensorflow as tf
from checking import mutant
from hmc_kernels import CHECKS, annealing_kernel, exact_draws, log_density, tfp_kernel

import samplers

RIGHT = {"hmc": tfp_kernel, "annealing move": annealing_kernel()}

# Deliberately wrong moves: what is replaced in samplers/annealed.py, and by what.
WRONG = {
    "full kick at the start": (
        "(0, point, kick(momentum, point, 0.5))",
        "(0, point, kick(momentum, point, 1.0))",
    ),
    "full kick at the end": (
        "return point, kick(momentum, point, 0.5)",
        "return point, kick(momentum, point, 1.0)",
    ),
    "no half kick at the end": (
        "return point, kick(momentum, point, 0.5)",
        "return point, momentum",
    ),
    "flipped force": ("p + fraction * eps * g", "p - fraction * eps * g"),
    "stale gradient": (
        "point = with_shapes_of(evaluate(drift(point, momentum)), point)",
        "point = evaluate(drift(point, momentum))._replace(grad_final=point.grad_final)",
    ),
    "gradient of a rejected proposal": (
        "return with_shapes_of(chosen, point), log_ratio",
        "return chosen._replace(grad_final=proposal.grad_final), log_ratio",
    ),
    "no momentum refresh": ("fold_in(seed, t),", "fold_in(seed, 0),"),
    "one random number for the whole batch": ("uniform(tf.shape(log_ratio)", "uniform([]"),
    "one acceptance for the whole batch": (
        "energy(point, momentum) - energy(proposal, final_momentum)",
        "tf.reduce_sum(energy(point, momentum) - energy(proposal, final_momentum))"
        " + tf.zeros_like(point.log_final)",
    ),
    "momentum left out of the acceptance": ("event_sum(squares, num_chain_axes) / 2", "0.0"),
    "kinetic energy without the half": ("num_chain_axes) / 2", "num_chain_axes)"),
    "acceptance the wrong way round": (
        "energy(point, momentum) - energy(proposal, final_momentum)",
        "energy(proposal, final_momentum) - energy(point, momentum)",
    ),
    "everything accepted": ("noise < tf.exp", "noise < 2 + tf.exp"),
    "old momentum in the acceptance": (
        "energy(proposal, final_momentum)",
        "energy(proposal, momentum)",
    ),
    "drift by the square of the step": ("z + eps * p", "z + eps**2 * p"),
}


@pytest.mark.parametrize("kernel", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("check", CHECKS)
def test_right_kernels_pass(check, kernel):
    assert check(kernel) < 1


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_kernels_are_rejected(change):
    kernel = annealing_kernel(mutant("samplers.annealed", *change))
    assert not all(check(kernel) < 1 for check in CHECKS)


def test_parts_of_a_state_are_one_state():
    """A state in two parts moves as the same state in one: the laws are equal."""
    start = exact_draws(20_000)

    def in_parts(parts):
        return log_density(tf.concat(parts, -1))

    result = samplers.hmc(
        in_parts,
        [tf.constant(start[:, :1]), tf.constant(start[:, 1:])],
        num_steps=20,
        step_size=[tf.constant(0.5, tf.float64), tf.constant(0.5, tf.float64)],
        num_leapfrog_steps=4,
        seed=0,
    )
    _, accept_prob = tfp_kernel(log_density, tf.constant(start), 0, 0.5, 4, 20)
    difference = result.accept_prob.numpy() - accept_prob.numpy()
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))


def test_steps_in_units_of_the_scale():
    """eps = eps_0 sigma: acceptance and standardised moves do not depend on sigma."""

    @tf.function(autograph=False)
    def run(scale):
        return samplers.hmc(
            lambda z: -0.5 * tf.reduce_sum((z / scale) ** 2, -1),
            scale * samplers.normal([500, 3], 1, tf.float64),
            num_steps=5,
            step_size=0.7 * scale,
            num_leapfrog_steps=3,
            seed=2,
        )

    one, hundred = run(tf.constant(1.0, tf.float64)), run(tf.constant(128.0, tf.float64))
    np.testing.assert_allclose(hundred.accept_prob, one.accept_prob, rtol=1e-9)
    np.testing.assert_allclose(hundred.state / 128, one.state, rtol=1e-9)


def test_adaptation_reaches_its_target_and_stops():
    @tf.function(jit_compile=True, autograph=False)
    def run(num_steps, num_adaptation_steps):
        return samplers.hmc(
            lambda z: -0.5 * tf.reduce_sum(z**2, -1),
            samplers.normal([200, 10], 1),
            num_steps=num_steps,
            step_size=0.1,
            num_leapfrog_steps=5,
            num_adaptation_steps=num_adaptation_steps,
            target_accept=0.8,
            seed=2,
        )

    tuned, longer = run(tf.constant(100), tf.constant(100)), run(tf.constant(300), tf.constant(100))
    np.testing.assert_array_equal(tuned.step_scale, longer.step_scale)
    after = (300 * longer.accept_prob - 100 * tuned.accept_prob) / 200
    assert abs(np.mean(after) - 0.8) < 0.05


def test_divergence_is_rejected():
    """A proposal of no finite energy leaves the chain where it is."""

    def log_density(z):
        return tf.where(z[:, 0] > 0.5, np.nan, -0.5 * z[:, 0] ** 2)

    result = samplers.hmc(
        log_density,
        tf.zeros([100, 1]),
        num_steps=20,
        step_size=1.0,
        num_leapfrog_steps=2,
        seed=0,
    )
    assert np.all(np.isfinite(result.state)) and np.max(result.state) <= 0.5


def test_one_trace_for_all_counts_and_step_sizes():
    traces = []

    @tf.function(jit_compile=True, autograph=False)
    def run(num_steps, step_size, num_leapfrog_steps, seed):
        traces.append(1)
        return samplers.hmc(
            lambda z: -0.5 * tf.reduce_sum(z**2, -1),
            tf.zeros([5, 2]),
            num_steps=num_steps,
            step_size=step_size,
            num_leapfrog_steps=num_leapfrog_steps,
            seed=seed,
        ).state

    for n in (1, 2, 7):
        run(tf.constant(n), tf.constant(0.1 * n), tf.constant(n), samplers.as_seed(n))
    assert len(traces) == 1


def test_energy_error():
    """Of one transition: exp(-error) is what was accepted uphill, and downhill it is no less."""
    state = tf.constant(exact_draws(1000))
    options = {"num_steps": 1, "num_leapfrog_steps": 3, "seed": 0}
    result = samplers.hmc(log_density, state, step_size=tf.constant(0.7, state.dtype), **options)
    accept_prob, error = result.accept_prob.numpy(), result.energy_error.numpy()
    uphill = accept_prob < 1
    assert 0.2 < uphill.mean() < 0.8
    np.testing.assert_allclose(np.exp(-error[uphill]), accept_prob[uphill])
    assert (error[~uphill] >= 0).all() and error[~uphill].mean() > 0.01
    far = samplers.hmc(log_density, state, step_size=tf.constant(1e9, state.dtype), **options)
    np.testing.assert_array_equal(far.energy_error, 1000)
