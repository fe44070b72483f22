import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import moments, mutant
from hmc_kernels import CHECKS, annealing_kernel, chain, exact_draws, hmc_kernel, log_density
from tensorflow_probability.python.mcmc.internal import leapfrog_integrator as leapfrog_impl

import samplers
from samplers import kernels

RIGHT = {
    "hmc": (hmc_kernel(), True),
    "hmc with jitter": (hmc_kernel(jitter=0.5), False),
    "annealing move": (annealing_kernel(), False),  # as its mutants
}
RATIO = "energy(point, noise.momentum) - energy(proposal, end)"
CHOICE = "accept_or_reject(point, proposal, log_accept_ratio, noise.choice)"

# Deliberately wrong moves: what is replaced in a module of samplers, and by what.
WRONG = {
    "full kick at the start": (
        "integrators",
        "(point.state, kick(momentum, point, 0.5)),",
        "(point.state, kick(momentum, point, 1.0)),",
    ),
    "full kick at the end": (
        "integrators",
        "return point, kick(momentum, point, 0.5)",
        "return point, kick(momentum, point, 1.0)",
    ),
    "no half kick at the end": (
        "integrators",
        "return point, kick(momentum, point, 0.5)",
        "return point, momentum",
    ),
    "flipped force": ("integrators", "p + fraction * s * g", "p - fraction * s * g"),
    "stale gradient": ("integrators", "kick(momentum, moved, 1.0,", "kick(momentum, point, 1.0,"),
    "drift by the square of the step": ("integrators", "z + s * p", "z + s**2 * p"),
    "density read one step early": (
        "integrators",
        "evaluate(drift(state, momentum)), point)",
        "evaluate(drift(state, momentum))._replace(log_final=evaluate(state).log_final), point)",
    ),
    "gradient of a rejected proposal": (
        "hamiltonian",
        f"return {CHOICE}",
        f"point, info = {CHOICE}\n    return point._replace(grad_final=proposal.grad_final), info",
    ),
    "no momentum refresh": ("annealed", "fold_in(seed, t + 1)", "fold_in(seed, 0)"),
    "one random number for the whole batch": (
        "hamiltonian",
        "fast_uniform(shape, ",
        "tf.zeros(shape, log_density.dtype) + fast_uniform([], ",
    ),
    "one acceptance for the whole batch": (
        "hamiltonian",
        RATIO,
        f"tf.reduce_sum({RATIO}) + tf.zeros_like(noise.choice)",
    ),
    "momentum left out of the acceptance": (
        "hamiltonian",
        "event_sum(squares, num_chain_axes) / 2",
        "0.0",
    ),
    "kinetic energy without the half": ("hamiltonian", "num_chain_axes) / 2", "num_chain_axes)"),
    "acceptance the wrong way round": (
        "hamiltonian",
        RATIO,
        "energy(proposal, end) - energy(point, noise.momentum)",
    ),
    "everything accepted": (
        "kernels",
        "noise < info.accept_prob",
        "noise < 2 + info.accept_prob",
    ),
    "old momentum in the acceptance": (
        "hamiltonian",
        "energy(proposal, end)",
        "energy(proposal, noise.momentum)",
    ),
}


@pytest.mark.parametrize("kernel", RIGHT.values(), ids=RIGHT)
def test_right_kernels_pass(kernel):
    run = chain(*kernel)
    deviations = {check.__name__: check(run) for check in CHECKS}
    assert max(deviations.values()) < 1, deviations


@pytest.mark.slow
@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_kernels_are_rejected(change):
    name, old, new = change
    users = ["samplers.hamiltonian", "samplers.annealed"]
    users = [user for user in users if user != f"samplers.{name}"] * (name != "annealed")
    run = chain(annealing_kernel(mutant(f"samplers.{name}", old, new, *users)))
    assert not all(check(run) < 1 for check in CHECKS)


def hmc(state, step_size, density=log_density, num_steps=1, num_leapfrog_steps=3, **kwargs):
    kwargs = {"seed": 0, "step_size": step_size} | kwargs
    return samplers.hmc(
        density, state, num_steps=num_steps, num_leapfrog_steps=num_leapfrog_steps, **kwargs
    )


def test_parts_of_a_state_are_one_state():
    """A state in two parts, in their own units, moves as the same state in one: in law."""
    z = tf.constant(exact_draws(4000))
    size = tf.constant(0.5, z.dtype)

    def in_parts(parts):
        return log_density(tf.concat([parts[0], parts[1] / 8], -1))

    parts = hmc([z[:, :1], 8 * z[:, 1:]], [size, 8 * size], in_parts, 10)
    difference = parts.accept_prob.numpy() - hmc(z, size, num_steps=10).accept_prob.numpy()
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))


def test_jitter_ends_resonance():
    """Trajectories of half a period only change sides of a Gaussian; of varied lengths they mix."""
    start = 3 + 0.3 * samplers.normal([2000, 1], 1)
    density = lambda z: -0.5 * tf.reduce_sum(z**2, -1)  # noqa: E731
    resonant, mixed = (
        hmc(start, np.pi / 5, density, 25, 5, jitter=jitter).state.numpy() for jitter in (0.0, 0.5)
    )
    assert (resonant**2).mean() > 2
    assert abs((mixed**2).mean() - 1) < 4 * (2 / 2000) ** 0.5


def test_steps_in_units_of_the_scale():
    """eps = eps_0 sigma: acceptance and standardised moves do not depend on sigma."""
    noise = samplers.normal([500, 3], 1, tf.float64)

    @tf.function(autograph=False)
    def run(scale):
        density = lambda z: -0.5 * tf.reduce_sum((z / scale) ** 2, -1)  # noqa: E731
        return hmc(scale * noise, 0.7 * scale, density, 5)

    one, hundred = run(tf.constant(1.0, tf.float64)), run(tf.constant(128.0, tf.float64))
    np.testing.assert_allclose(hundred.accept_prob, one.accept_prob, rtol=1e-9)
    np.testing.assert_allclose(hundred.state / 128, one.state, rtol=1e-9)


@tf.function(jit_compile=True, autograph=False)
def compiled(num_steps, step_size, num_leapfrog_steps, num_adaptation_steps, seed):
    density = lambda z: -0.5 * tf.reduce_sum(z**2, -1)  # noqa: E731
    kwargs = {"num_adaptation_steps": num_adaptation_steps, "seed": seed}
    z = samplers.normal([200, 10], 1)
    return hmc(z, step_size, density, num_steps, num_leapfrog_steps, **kwargs)


def call(*numbers):
    return compiled(*map(tf.constant, numbers), samplers.as_seed(2))


def test_adaptation_reaches_its_target_and_stops():
    tuned, longer = call(100, 0.1, 5, 100), call(300, 0.1, 5, 100)
    np.testing.assert_array_equal(tuned.step_scale, longer.step_scale)
    after = (300 * longer.accept_prob - 100 * tuned.accept_prob) / 200
    assert abs(np.mean(after) - 0.8) < 0.05


def test_steps_far_too_large_all_diverge():
    """And neither counts nor step sizes, as tensors, trace again."""
    far, near = call(4, 1e9, 3, 0), call(7, 0.1, 5, 0)
    np.testing.assert_array_equal(far.num_divergences, 4)
    for value in (far.energy_error, far.accept_prob):
        np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(near.num_divergences, 0)
    assert 0 < np.max(near.energy_error) < 1
    np.testing.assert_array_equal(near.step_scale, 1)
    assert compiled.experimental_get_tracing_count() == 1


def test_chain_is_the_kernel_repeated():
    """Where some trajectories diverge, they are counted and left out of the mean energy error."""
    z = samplers.normal([200, 2], 0, tf.float64)
    density = lambda z: -tf.reduce_sum(z**4, -1)  # noqa: E731
    result = hmc(z, tf.constant(0.6, z.dtype), density, 6, seed=5)

    current, told = samplers.point_at(density, z), []
    for i in range(6):
        current, info = samplers.hmc_kernel(
            density, current, step_size=0.6, num_leapfrog_steps=3, seed=samplers.fold_in(5, i)
        )
        told.append(info)
    accept_prob, error, is_divergent = (np.array(values) for values in zip(*told, strict=True))
    np.testing.assert_array_equal(is_divergent, ~(error <= 1000))
    regular = np.where(is_divergent, 0, error)
    assert regular.max() > 100 and 0.1 < is_divergent.mean() < 0.9
    assert 0 < (is_divergent.sum(0) == 6).mean() < 1

    np.testing.assert_array_equal(result.state, current.state)
    np.testing.assert_array_equal(result.num_divergences, is_divergent.sum(0))
    np.testing.assert_allclose(result.accept_prob, accept_prob.mean(0), rtol=1e-12)
    mean = regular.sum(0) / np.maximum(6 - is_divergent.sum(0), 1)
    np.testing.assert_allclose(result.energy_error, mean, rtol=1e-12)


@pytest.mark.parametrize(
    "kernel", [hmc_kernel(), annealing_kernel()], ids=["hmc", "annealing move"]
)
def test_no_finite_energy_is_rejected(kernel):
    """A proposal of no finite energy leaves the chain where it is."""

    def density(z):
        return tf.where(z[:, 0] > 0.5, np.nan, -0.5 * z[:, 0] ** 2)

    state, accept_prob = kernel(density, tf.zeros([100, 1]), 0, 1.0, 2, 10)
    assert np.all(np.isfinite(state)) and 0.3 < np.max(state) <= 0.5
    assert 0 < np.mean(accept_prob) < 1


def test_choice_is_made_for_every_chain():
    """By a ratio in nats; all that is kept of a chain moves with it."""
    log_ratio = tf.repeat(tf.constant([-np.inf, np.log(0.3), 0.0, 5.0, np.nan, np.inf]), 2000)
    here, there = ([value([12_000, 2]), value([12_000])] for value in (tf.zeros, tf.ones))
    chosen, info = kernels.accept_or_reject(here, there, log_ratio, samplers.uniform([12_000], 0))
    np.testing.assert_array_equal(chosen[0], np.repeat(chosen[1][:, None], 2, 1))
    shares = np.reshape(chosen[1], [6, 2000]).mean(1)
    np.testing.assert_allclose(shares, [0, 0.3, 1, 1, 0, 0], atol=4 * (0.21 / 2000) ** 0.5)
    np.testing.assert_array_equal(shares[[0, 2, 3, 4, 5]], [0, 1, 1, 0, 0])
    np.testing.assert_allclose(info.accept_prob[::2000], [0, 0.3, 1, 1, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(
        info.is_divergent[::2000], [True, False, False, False, True, True]
    )


@pytest.mark.parametrize("compiled", [None, False, True])
def test_what_diverges(compiled):
    """In graphs, too, whose optimizer takes "not at most" for "more than", whatever NaN is."""
    tell = samplers.transition_info
    if compiled is not None:
        tell = tf.function(tell, jit_compile=compiled, autograph=False)
    info = tell(tf.constant([np.nan, np.inf, -np.inf, 1001, -1001, 999, -999]))
    np.testing.assert_array_equal(info.is_divergent, [True] * 5 + [False] * 2)
    np.testing.assert_array_equal(info.energy_error[3:], [1001, 1001, 999, 999])


def test_energy_error():
    """Of one transition: exp(-error) is what was accepted uphill, and downhill it is no less."""
    state = tf.constant(exact_draws(1000))
    result = hmc(state, tf.constant(0.7, state.dtype))
    accept_prob, error = result.accept_prob.numpy(), result.energy_error.numpy()
    uphill = accept_prob < 1
    assert 0.2 < uphill.mean() < 0.8
    np.testing.assert_allclose(np.exp(-error[uphill]), accept_prob[uphill])
    assert (error[~uphill] >= 0).all() and error[~uphill].mean() > 0.01


def test_trajectories_are_those_of_tfp():
    """For the same momentum; where the force is not linear, and step sizes differ by part."""
    density = lambda a, b: log_density(tf.concat([a, b], -1), quartic=0.5)  # noqa: E731
    z = tf.constant(exact_draws(50))
    parts, sizes = [z[:, :1], z[:, 1:]], [tf.constant(0.2, z.dtype), tf.constant(0.3, z.dtype)]
    momentum = samplers.normal([50, 2], 1, z.dtype)
    momentum = [momentum[:, :1], momentum[:, 1:]]
    theirs = leapfrog_impl.SimpleLeapfrogIntegrator(density, sizes, num_steps=5)
    end, state, log_prob, gradient = theirs(momentum, parts)

    evaluate = lambda z: samplers.point_at(lambda z: density(*z), z)  # noqa: E731
    point, ours = samplers.leapfrog(
        evaluate, evaluate(parts), momentum, step_size=sizes, num_steps=5
    )
    expected = (state, log_prob, gradient, end)
    for value, other in zip(
        tf.nest.flatten((*point, ours)), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-8)


def test_transitions_are_those_of_tfp():
    """In law: moments and acceptance of as many transitions."""
    z = tf.constant(1 + exact_draws(4000))
    kernel = tfp.mcmc.HamiltonianMonteCarlo(log_density, 1.2, 3)
    state, results, accepted = z, kernel.bootstrap_results(z), 0.0
    for i in range(3):
        state, results = kernel.one_step(state, results, seed=samplers.fold_in(4, i))
        accepted += tf.exp(tf.minimum(results.log_accept_ratio, 0.0)) / 3
    ours = hmc(z, tf.constant(1.2, z.dtype), num_steps=3)
    differences = [
        np.concatenate([moments(state.numpy()), accept_prob.numpy()[:, None]], 1)
        for state, accept_prob in ((ours.state, ours.accept_prob), (state, accepted))
    ]
    means, errors = zip(*((d.mean(0), d.std(0) / len(d) ** 0.5) for d in differences), strict=True)
    assert np.all(np.abs(means[0] - means[1]) < 4 * np.hypot(*errors))
    assert 0.5 < means[0][-1] < 0.95
