"""HMC kernels under test, all called alike, and the checks that a right one passes.

A kernel is `kernel(log_density, state, seed, step_size, num_leapfrog_steps, num_transitions)` and
gives the last state and the mean acceptance probability of every chain. A check takes a `chain` of
a kernel and returns its largest deviation in units of the tolerance: above 1 it is rejected.
"""

import importlib

import numpy as np
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from scipy.stats import gennorm

import samplers
from samplers import annealed

hmc = importlib.import_module("samplers.hmc")  # whose name in the package is the function's

MEAN = np.array([1.0, -0.5])
COVARIANCE = np.array([[1.0, 0.6], [0.6, 2.0]])
PRECISION = np.linalg.inv(COVARIANCE)
NUM_CHAINS = 4000
NUM_TRANSITIONS = 7


def log_density(z, quartic=0.0):
    """Of a Gaussian; where `quartic` is 1 of exp(-z^4 / 4), whose force is not linear."""
    centred = z - tf.constant(MEAN, z.dtype)
    square = tf.einsum("...i,ij,...j->...", centred, tf.constant(PRECISION, z.dtype), centred)
    return -(1 - quartic) * square / 2 - quartic * tf.reduce_sum(z**4, -1) / 4


def exact_draws(num_chains=NUM_CHAINS):
    return np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, num_chains)


def hmc_kernel(module=hmc, **kwargs):
    """`samplers.hmc` (or that of a mutant of its module)."""

    def kernel(log_density, state, seed, step_size, num_leapfrog_steps, num_transitions):
        result = module.hmc(
            log_density,
            state,
            num_steps=num_transitions,
            step_size=tf.cast(step_size, state.dtype),
            num_leapfrog_steps=num_leapfrog_steps,
            seed=seed,
            **kwargs,
        )
        return result.state, result.accept_prob

    return kernel


def annealing_kernel(module=annealed):
    """The transition inside annealed importance sampling (or inside a mutant of its module)."""

    def kernel(log_density, state, seed, step_size, num_leapfrog_steps, num_transitions):
        # All temperatures but the first are 1, so every move is one of HMC on the final density.
        result = module.annealed_importance_sampling(
            lambda z: -0.5 * tf.reduce_sum(z**2, -1),
            log_density,
            state,
            tf.ones([num_transitions + 1], tf.float64),
            move=module.hamiltonian_move(num_leapfrog_steps, jitter=0.5),
            step_size=step_size,
            seed=seed,
        )
        return result.state, result.accept_prob

    return kernel


def chain(kernel, compiled=False):
    """A few transitions of a kernel: one program that serves all checks, or none."""

    def run(start, quartic, step_size, num_leapfrog_steps, seed):
        density = lambda z: log_density(z, quartic)  # noqa: E731
        return kernel(density, start, seed, step_size, num_leapfrog_steps, NUM_TRANSITIONS)

    if compiled:
        run = tf.function(run, jit_compile=True, autograph=False)

    def call(start, step_size, num_leapfrog_steps, seed, quartic=0.0):
        numbers = (tf.constant(value, tf.float64) for value in (quartic, step_size))
        steps = tf.constant(num_leapfrog_steps)
        state, accept_prob = run(tf.constant(start), *numbers, steps, samplers.as_seed(seed))
        return state.numpy(), accept_prob.numpy()

    return call


def check_invariance(chain):
    """Chains that start at exact draws stay exact draws, also with many rejections."""
    state, _ = chain(exact_draws(), 1.2, 2, 1)
    return _deviation(moments(state), gaussian_moments(MEAN, COVARIANCE))


def check_quartic_invariance(chain):
    """The same where the force is not linear; moments in closed form."""
    scale = 4**0.25
    start = gennorm.rvs(4, scale=scale, size=(NUM_CHAINS, 2), random_state=0)
    state, _ = chain(start, 0.8, 3, 4, quartic=1.0)
    expected = np.repeat([0.0, gennorm.moment(2, 4, scale=scale), 1.0], 2)
    return _deviation(np.concatenate([state, state**2, state**4], 1), expected)


def check_energy(chain):
    """Short steps conserve energy: at eps = 0.1 less than one in a hundred is rejected."""
    _, accept_prob = chain(exact_draws(), 0.1, 4, 3)
    return (1 - accept_prob.mean()) / 0.01


def check_convergence(chain):
    """Chains that start elsewhere arrive at the density."""
    start = 2 + np.random.default_rng(1).standard_normal((NUM_CHAINS, 2))
    state, _ = chain(start, 0.45, 4, 2)
    return _deviation(moments(state), gaussian_moments(MEAN, COVARIANCE))


def _deviation(draws, expected):
    """Of means of draws, in 4 standard errors; infinite for draws that are far away."""
    if not np.abs(draws).max() < 1e6:
        return np.inf
    return np.abs(z_scores(draws, expected)).max() / 4


CHECKS = (check_invariance, check_quartic_invariance, check_energy, check_convergence)
