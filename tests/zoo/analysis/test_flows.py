"""Figures of flows, of runs that are not read from disk."""

import numpy as np
import pytest
from eager import eagerly
from runs import FakeRun, image_run, scored_run

import zoo
from zoo import analysis


def run(label, bound, posterior=None, **others):
    figures = {"log_likelihood": bound + 1.0, "log_likelihood_stderr": 0.5, "bound": bound}
    return scored_run(label, **figures, posterior=posterior or "mean_field", **others)


def test_bound_by_num_flows():
    planar = {"name": "planar", "num_flows": 10, "amortised": True}
    nice = {"name": "nice", "num_flows": 40, "mixing": "orthogonal"}
    runs = [
        run("a", -24.0),
        run("b", -23.0, planar),
        run("c", -22.0, planar),
        run("d", -21.0, nice),
    ]
    runs += [run("e", -20.0, "iaf")]  # of which the default is two
    plot = analysis.draw("bound_by_num_flows", runs)
    assert [row[1:4] for row in plot.rows] == [
        ("mean_field", 0, -24.0),
        ("planar, amortised", 10, -23.0),
        ("planar, amortised", 10, -22.0),
        ("nice, orthogonal", 40, -21.0),
        ("iaf", 2, -20.0),
    ]
    lines = [line.get_xydata().tolist() for line in plot.figure.axes[0].get_lines()]
    assert lines[0] == [[0, -24], [10, -22.5]] and lines[1] == [[0, -23], [10, -21.5]]
    assert lines[2] == [[0, -24], [40, -21]]


@pytest.fixture(scope="module")
def glow():
    data = zoo.data.load("digits", verbose=False)
    return FakeRun("glow", zoo.Glow.for_data(data, num_scales=1, depth=1, width=4), data)


def test_samples_by_temperature(glow):
    with eagerly():
        plot = analysis.draw("samples_by_temperature", [glow], temperatures=(0.1, 0.4))
    deviations = [row[3] for row in plot.rows]
    assert [row[1] for row in plot.rows] == [0.1, 0.4] and 2 < deviations[1] / deviations[0] < 5


def test_interpolations(glow):
    plot = analysis.draw("interpolations", [glow], num_pairs=2, num_between=1)
    assert [row[1:3] for row in plot.rows] == [(p, s) for p in (0, 1) for s in (0.0, 0.5, 1.0)]
    x = next(iter(glow.data.test))["x"][:4].numpy()
    picture = plot.figure.axes[0].get_images()[0].get_array()[..., 0]
    side = picture.shape[0] // 2
    ends = picture[:side, : picture.shape[1] // 3]
    factor = side // 8
    shown = ends[factor // 2 : 8 * factor : factor, factor // 2 : 8 * factor : factor]
    np.testing.assert_allclose(shown, x[0, ..., 0], atol=0.05)


def test_what_is_refused(glow):
    for name in ("samples_by_temperature", "interpolations"):
        with pytest.raises(zoo.UsageError, match="model must have an exact density"):
            analysis.draw(name, [image_run("a")])
    for temperatures, message in (((0.0,), "greater than 0"), (0.5, "a list"), ((), "a list")):
        with pytest.raises(zoo.UsageError, match=f"temperatures must be {message}"):
            analysis.draw("samples_by_temperature", [glow], temperatures=temperatures)
    without = scored_run("f", log_likelihood=0.0, log_likelihood_stderr=0.0, bound=0.0)
    with pytest.raises(zoo.UsageError, match="runs must have a posterior; that of 'runs/f' has"):
        analysis.draw("bound_by_num_flows", [without])
