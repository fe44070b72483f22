"""The figure of implicit posteriors: its moments against closed forms and a plain program."""

import numpy as np
import pytest
from checking import mutant
from eager import eagerly

import samplers
import zoo
from zoo import analysis
from zoo.scripts import studies  # noqa: F401 (registers them)


@pytest.fixture(scope="module")
def plot():
    with eagerly():
        return analysis.draw(
            "implicit_posteriors", settings=((1, 1, 1), (1, 10, 1), (5, 1, 10)), num_draws=40_000
        )


def table(plot):
    """Means and standard errors [4, 2] of the table by (method, L, K, T)."""
    assert plot.columns[5::2] == ("mean_1", "mean_2", "variance", "covariance")
    return {row[:4]: np.array(row[5:]).reshape(4, 2) for row in plot.rows}


# Variance and covariance of q_IS(1) in closed form, else from a program in plain NumPy.
REFERENCES = {
    ("IS", 0, 1, 1): (0.19, 0.0),
    ("IS", 0, 10, 1): (0.2594, 0.1509),
    ("IS", 0, 500, 1): (0.452, 0.348),
    ("AIS", 5, 1, 10): (0.9425, 0.8330),
    ("AIS", 5, 10, 10): (0.971, 0.871),
}


def z_scores_of_moments(plot, sampler):
    found, stderr = table(plot)[sampler].T
    return abs(found - [0, 0, *REFERENCES[sampler]]) / stderr


@pytest.mark.parametrize("sampler", [("IS", 0, 1, 1), ("IS", 0, 10, 1), ("AIS", 5, 1, 10)])
def test_moments(plot, sampler):
    assert (4 * table(plot)[sampler][:, 1] < 0.03).all()
    assert z_scores_of_moments(plot, sampler).max() < 4


def test_standard_errors(plot):
    """Of independent Gaussian draws, in closed form."""
    errors = table(plot)["IS", 0, 1, 1][:, 1] * np.sqrt(40_000)
    np.testing.assert_allclose(errors, [0.19**0.5, 0.19**0.5, 0.19, 0.19], rtol=0.03)


def check_order(plot, costs):
    """At equal cost annealing's covariance is nearer to that of the posterior."""
    assert [row[4] for row in plot.rows] == costs * 2
    found, stderr = np.array([row[-2:] for row in plot.rows]).reshape(2, -1, 2).transpose(2, 0, 1)
    far = abs(0.9 - found)
    assert (far[1] < far[0] - 4 * np.hypot(*stderr)).all()


def test_annealing_is_nearer_at_equal_cost(plot):
    check_order(plot, [1, 10, 50])


@pytest.mark.slow
def test_whole_figure():
    """Compiled, as scripts/figures.py draws it."""
    plot = analysis.draw("implicit_posteriors")
    check_order(plot, [5, 50, 250, 500])
    for sampler in (("IS", 0, 500, 1), ("AIS", 5, 1, 10), ("AIS", 5, 10, 10)):
        assert z_scores_of_moments(plot, sampler).max() < 4, sampler


def test_weights_matter(monkeypatch):
    """Without them q_IS is the proposal, and the reference finds that out."""
    wrong = mutant("samplers.implicit", "log_weights + gumbel", "gumbel")
    monkeypatch.setattr(samplers, "implicit_posterior", wrong.implicit_posterior)
    with eagerly():
        plot = analysis.draw("implicit_posteriors", settings=((1, 10, 1),), num_draws=4000)
    assert z_scores_of_moments(plot, ("IS", 0, 10, 1)).max() > 10


def test_picture(plot):
    titles = [axes.get_title() for axes in plot.figure.axes]
    assert titles[2] == "IS, cost 50\nK = 50"
    assert titles[5] == "AIS, cost 50\nL = 5, K = 1, T = 10"
    for axes, row in zip(plot.figure.axes, plot.rows, strict=True):
        points, inner, outer, _ = (line.get_xydata() for line in axes.get_lines())
        assert points.shape == (1000, 2)
        # Points of an ellipse are as many standard deviations from the middle.
        for ellipse, radius in ((inner, 1), (outer, 2)):
            square = np.einsum("ni,ij,nj->n", ellipse, np.linalg.inv([[1, 0.9], [0.9, 1]]), ellipse)
            np.testing.assert_allclose(square, radius**2)
        assert f"variance {row[9]:.3f} ± {row[10]:.3f}" in axes.texts[0].get_text()


def test_table_and_seed():
    settings = {"settings": ((2, 3, 1),), "num_draws": 20, "jit_compile": False}
    with eagerly():
        first, same, other = (
            analysis.draw("implicit_posteriors", seed=seed, **settings) for seed in (0, 0, 1)
        )
    assert first.rows == same.rows and first.rows != other.rows
    assert [row[:5] for row in first.rows] == [("IS", 0, 6, 1, 6), ("AIS", 2, 3, 1, 6)]
    assert len(first.columns) == 13


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"correlation": 1.0}, "correlation must lie between -1 and 1; it was 1.0"),
        ({"num_draws": 1}, "num_draws must be at least 2"),
        ({"step_size": 0.0}, "step_size must be greater than 0"),
        ({"settings": ((0, 1, 1),)}, "num_leapfrog_steps must be greater than 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(zoo.UsageError, match=message):
        analysis.draw("implicit_posteriors", **settings)
