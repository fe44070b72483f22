import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, mutant, z_scores

import samplers

VARIANCE = np.array([0.5, 2.0])
STEP_SIZE = 0.6
WRONG = {
    "sqrt(s) noise": ("+ step_size * n", "+ step_size**0.5 * n"),
    "drift without the half": ("step_size**2 / 2 * g", "step_size**2 * g"),
    "step size for its square": ("step_size**2 / 2 * g", "step_size / 2 * g"),
    "flipped force": ("z + step_size**2 / 2 * g", "z - step_size**2 / 2 * g"),
    "one noise for all steps": ("fold_in(seed, i)", "fold_in(seed, 0)"),
}


def deviation(module):
    """From its own stationary law, N(0, v / (1 - s^2 / (4 v))), in units of 4 standard errors."""
    stationary = VARIANCE / (1 - STEP_SIZE**2 / (4 * VARIANCE))
    start = np.random.default_rng(0).standard_normal((40_000, 2)) * np.sqrt(stationary)

    @tf.function(jit_compile=True, autograph=False)
    def run(start):
        return module.langevin(
            lambda z: -0.5 * tf.reduce_sum(z**2 / VARIANCE, -1),
            start,
            num_steps=20,
            step_size=tf.constant(STEP_SIZE, tf.float64),
            seed=1,
        )

    expected = gaussian_moments(np.zeros(2), np.diag(stationary))
    return np.abs(z_scores(moments(run(tf.constant(start)).numpy()), expected)).max() / 4


def test_stationary_law():
    assert deviation(samplers) < 1


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_steps_are_rejected(change):
    assert not deviation(mutant("samplers.langevin", *change)) < 1
