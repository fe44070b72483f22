"""The map of two latents, on a decoder that shows them."""

import numpy as np
import pytest
from linear_gaussian import linear_gaussian, linear_model
from runs import FakeRun, image_run

import zoo
from zoo import analysis


def test_manifold():
    side = 4
    plot = analysis.draw("manifold", [image_run("a"), image_run("b")], side=side)
    assert len(plot.rows) == 2 * side**2
    values = {row[:3]: row[3:] for row in plot.rows}
    assert values["a", 0, 0] == pytest.approx((-1.1503, 1.1503), abs=1e-4)  # 1/8 and 7/8
    assert values["b", 3, 2] == pytest.approx((0.3186, -1.1503), abs=1e-4)
    # The first two pixels of an image show z_0 and z_1: both grow as the axes say.
    picture = plot.figure.axes[0].get_images()[0].get_array()[..., 0]
    height, width = (size // side for size in picture.shape)
    first, second = (picture[2::height, 2 + k * width // 3 :: width] for k in (0, 1))
    assert first.shape == second.shape == (side, side)
    assert (np.diff(first, axis=1) > 0.05).all() and np.ptp(first, axis=0).max() == 0
    assert (np.diff(second, axis=0) < -0.05).all() and np.ptp(second, axis=1).max() == 0


def test_what_is_refused():
    with pytest.raises(zoo.UsageError, match="model must have 2 latents.*; c has 3"):
        analysis.draw("manifold", [image_run("c", 3)])
    flat = FakeRun("flat", linear_model(zoo.VAE, linear_gaussian()))
    with pytest.raises(zoo.UsageError, match=r"model must be one of images"):
        analysis.draw("manifold", [flat])
