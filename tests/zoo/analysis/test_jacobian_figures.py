"""The figures of directions that a decoder uses, on models whose Jacobians are known."""

import numpy as np
import pytest
from linear_gaussian import linear_gaussian, linear_model
from runs import FakeRun, image_run

import zoo
from zoo import analysis

LAW = linear_gaussian()
SINGULAR_VALUES = np.linalg.svd(LAW.weights / 2, compute_uv=False)


def test_jacobian_spectrum():
    runs = [FakeRun(label, linear_model(zoo.VAE, LAW)) for label in ("one", "two")]
    plot = analysis.draw("jacobian_spectrum", runs, num_draws=2)
    assert [row[:2] for row in plot.rows] == [(m, k) for m in ("one", "two") for k in (1, 2, 3)]
    values = np.array([row[2:] for row in plot.rows]).reshape(2, 3, 2)
    np.testing.assert_allclose(values, np.tile(SINGULAR_VALUES[:, None], (2, 1, 2)), atol=1e-5)
    for axes in plot.figure.axes:
        assert axes.get_yscale() == "log"
        for line in axes.get_lines():
            np.testing.assert_allclose(line.get_ydata(), SINGULAR_VALUES, atol=1e-5)


def test_leading_directions():
    runs = [image_run("two", 2), image_run("five", 5)]
    plot = analysis.draw("leading_directions", runs, num_draws=20, num_averaged=50, num_shown=3)
    assert [row[:2] for row in plot.rows] == [
        *(("two", c) for c in (0, 1, 2)),
        *(("five", c) for c in (0, 1, 2, 4, 5)),
    ]
    for label in ("two", "five"):
        distances = [row[2] for row in plot.rows if row[0] == label]
        assert distances == sorted(distances, reverse=True)
        assert distances[0] > 0.001 and distances[-1] == 0
    ticks = [[text.get_text() for text in axes.get_xticklabels()] for axes in plot.figure.axes]
    assert ticks == [["0", "1", "2"], ["0", "1", "2", "4", "5"]]


def test_seed():
    runs = [image_run("two")]
    one, two, other = (
        analysis.draw("jacobian_spectrum", runs, num_draws=5, seed=s).rows for s in (0, 0, 1)
    )
    assert one == two and one != other


def test_models_of_other_things_than_images_are_refused():
    with pytest.raises(zoo.UsageError, match=r"model must be one of images"):
        analysis.draw("leading_directions", [FakeRun("flat", linear_model(zoo.VAE, LAW))])
