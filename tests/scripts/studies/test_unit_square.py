"""The toy of the unit square: its scores are those of the curves in its table."""

import re

import numpy as np
import pytest

from zoo import analysis
from zoo.scripts import studies  # noqa: F401 (registers them)


def test_unit_square():
    """A small one; the scores in the titles are those of the curves in the table."""
    scale = 0.2
    plot = analysis.draw(
        "unit_square",
        num_points=300,
        epochs=1,
        num_steps=1,
        units=20,
        scale=scale,
        jit_compile=False,
    )
    for axes in plot.figure.axes:
        label, value, stderr = re.match(r"(.*): (\S+) ± (\S+) nats", axes.get_title()).groups()
        error = 4 * float(stderr) + 0.01
        assert float(value) == pytest.approx(score(plot, label, scale), abs=error)


@pytest.mark.slow
def test_hmc_dlgm_fills_the_unit_square_better():
    plot = analysis.draw("unit_square")
    vae, hmc_dlgm = (
        score(plot, axes.get_title().split(":")[0], 0.075) for axes in plot.figure.axes
    )
    assert hmc_dlgm > vae + 0.2


def score(plot, label, scale):
    """Mean log density on a lattice in the square, where the curve of the table has N(0, scale)."""
    curve = np.array([row[2:] for row in plot.rows if row[0] == label])
    assert curve.shape == (1000, 2)
    middles = (np.arange(40) + 0.5) / 40
    x = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 1, 2)
    exponent = -0.5 * np.square(x - curve).sum(axis=-1) / scale**2
    return np.log(np.exp(exponent).mean(axis=1) / (2 * np.pi * scale**2)).mean()
