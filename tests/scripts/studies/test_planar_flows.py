"""Flows fitted to densities of two latents, whose distances are known or must fall."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import analysis
from zoo.scripts.studies import planar_flows

FAST = {"num_steps": 3, "jit_compile": False}


def test_distance_to_a_gaussian_is_known():
    """KL(N(0, I) || N(m, s^2 I)), of no flows."""
    shift, scale = 0.5, 0.8

    def log_density(z):
        return -0.5 * tf.reduce_sum(tf.square((z - shift) / scale), -1) + 7.0

    fitted = planar_flows.fit(
        {"name": "planar", "num_flows": 0}, log_density, learn_base=False, num_steps=1
    )
    exact = (1 + shift**2) / scale**2 - 1 + 2 * np.log(scale)
    assert abs(fitted.kl - exact) < 4 * fitted.stderr < 0.1


def test_flows_come_nearer():
    near, far = (
        planar_flows.fit(
            {"name": "planar", "num_flows": num_flows},
            planar_flows.crescent,
            learn_base=True,
            num_steps=600,
            learning_rate=0.02,
        )
        for num_flows in (4, 0)
    )
    assert -4 * near.stderr < near.kl < far.kl - 0.2


@pytest.mark.parametrize("name", planar_flows.ENERGIES)
def test_targets_are_densities(name):
    assert np.isfinite(planar_flows.log_normalizer(planar_flows.log_target(name), 50))


def test_figures():
    plot = analysis.draw("planar_flows", num_flows=(1,), **FAST)
    assert [row[:2] for row in plot.rows] == [(name, 1) for name in planar_flows.ENERGIES]
    plot = analysis.draw("flow_length", kinds=("planar", "IAF"), num_flows=(0, 1), **FAST)
    assert [row[:2] for row in plot.rows] == [(k, n) for k in ("planar", "IAF") for n in (0, 1)]
    with pytest.raises(zoo.UsageError, match="num_flows must be a list of whole numbers; it was 3"):
        analysis.draw("flow_length", num_flows=3)
    with pytest.raises(zoo.UsageError, match="kinds: unknown value 'nice'"):
        analysis.draw("flow_length", kinds=("nice",))
