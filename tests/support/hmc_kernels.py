"""HMC kernels under test, all called alike, and the checks that a right one passes.

A kernel is `kernel(log_density, state, seed, step_size, num_leapfrog_steps, num_transitions)` and
gives the last state and the mean acceptance probability of every chain. Each check returns the
largest deviation in units of its tolerance: above 1 the kernel is rejected.
"""

import numpy as np
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from scipy.stats import gennorm

import samplers
from samplers import annealed

MEAN = np.array([1.0, -0.5])
COVARIANCE = np.array([[1.0, 0.6], [0.6, 2.0]])
PRECISION = np.linalg.inv(COVARIANCE)
NUM_CHAINS = 40_000


def log_density(z):
    centred = z - tf.constant(MEAN, z.dtype)
    return -0.5 * tf.einsum("...i,ij,...j->...", centred, tf.constant(PRECISION, z.dtype), centred)


def exact_draws(num_chains=NUM_CHAINS):
    return np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, num_chains)


def tfp_kernel(log_density, state, seed, step_size, num_leapfrog_steps, num_transitions):
    """`samplers.hmc`."""
    result = samplers.hmc(
        log_density,
        state,
        num_steps=num_transitions,
        step_size=tf.cast(step_size, state.dtype),
        num_leapfrog_steps=num_leapfrog_steps,
        seed=seed,
    )
    return result.state, result.accept_prob


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


def _run(
    kernel, start, step_size, num_leapfrog_steps, num_transitions, seed, log_density=log_density
):
    @tf.function(jit_compile=True, autograph=False)
    def run(start, seed):
        return kernel(log_density, start, seed, step_size, num_leapfrog_steps, num_transitions)

    state, accept_prob = run(tf.constant(start), samplers.as_seed(seed))
    return state.numpy(), accept_prob.numpy()


def check_invariance(kernel, seed=1):
    """Chains that start at exact draws stay exact draws, also with many rejections."""
    state, _ = _run(kernel, exact_draws(), 1.2, 2, 5, seed)
    return np.abs(z_scores(moments(state), gaussian_moments(MEAN, COVARIANCE))).max() / 4


def check_convergence(kernel, seed=2):
    """Chains that start elsewhere arrive at the density."""
    start = 3 + np.random.default_rng(1).standard_normal((NUM_CHAINS, 2))
    state, _ = _run(kernel, start, 0.5, 4, 40, seed)
    return np.abs(z_scores(moments(state), gaussian_moments(MEAN, COVARIANCE))).max() / 4


def check_energy(kernel, seed=3):
    """Short steps conserve energy: at eps = 0.1 less than one in a hundred is rejected."""
    _, accept_prob = _run(kernel, exact_draws(), 0.1, 10, 1, seed)
    return (1 - accept_prob.mean()) / 0.01


def check_quartic_invariance(kernel, seed=4):
    """The same on f(z) ~ exp(-z^4 / 4), where the force is not linear; moments in closed form."""
    scale = 4**0.25
    start = gennorm.rvs(4, scale=scale, size=(NUM_CHAINS, 2), random_state=0)
    state, _ = _run(kernel, start, 0.8, 3, 10, seed, lambda z: -tf.reduce_sum(z**4, -1) / 4)
    expected = np.repeat([0.0, gennorm.moment(2, 4, scale=scale), 1.0], 2)
    if np.abs(state).max() > 1e3:
        return np.inf
    return np.abs(z_scores(np.concatenate([state, state**2, state**4], 1), expected)).max() / 4


CHECKS = (check_invariance, check_quartic_invariance, check_convergence, check_energy)
