"""Log-likelihood against the number of transitions, of runs that are not read from disk."""

import numpy as np
import pytest
from runs import scored_run

import zoo
from zoo import analysis


def run(label, log_likelihood, **others):
    figures = {"log_likelihood": log_likelihood, "log_likelihood_stderr": 0.5}
    return scored_run(label, **figures, **others)


def test_log_likelihood_by_num_steps():
    runs = [
        run("hmc_2", -21.0, name="HMCDLGM", num_steps=2, seed=1),
        run("vae", -24.0, name="VAE"),
        run("hmc_2_again", -22.0, name="HMCDLGM", num_steps=2),
        run("hmc_5", -20.0, name="HMCDLGM", num_steps=5),
    ]
    plot = analysis.draw("log_likelihood_by_num_steps", runs)
    scores = [(2, -21.0, 0.5), (0, -24.0, 0.5), (2, -22.0, 0.5), (5, -20.0, 0.5)]
    assert plot.rows == [(r.workdir, *score) for r, score in zip(runs, scores, strict=True)]
    means = plot.figure.axes[0].get_lines()[-1].get_xydata()
    np.testing.assert_allclose(means, [[0, -24], [2, -21.5], [5, -20]])


def test_runs_scored_differently_are_refused():
    runs = [run("a", -1.0, name="VAE"), run("b", -1.0, name="VAE", protocol="8 chains")]
    with pytest.raises(zoo.UsageError, match="protocol must be the same in all runs"):
        analysis.draw("log_likelihood_by_num_steps", runs)
