"""Chains whose weights are NaN are told by image, and left out only where that was asked for."""

import json

import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from linear_gaussian import linear_gaussian, linear_model
from runs import scored_run

import zoo
from zoo import analysis, scores
from zoo.core.annealing import Annealing
from zoo.core.failures import check_figures, check_weights
from zoo.runs.run import Run

LAW = linear_gaussian()
X = LAW.simulate(5)
X[3, 0] = 1.0  # which marks an image
SMALL = {"num_chains": 16, "num_increments": 4, "num_leapfrog_steps": 1, "verbose": False}


class Failing(zoo.VAE):
    """Whose density is bad for the marked image, where a latent is large."""

    bad, above = np.nan, 0.6

    def log_joint(self, batch, z, visible=None):
        is_bad = (z[..., 0] > self.above) & (batch["x"][:, 0] == 1)
        return tf.where(is_bad, self.bad, super().log_joint(batch, z, visible))


@pytest.fixture(scope="module")
def model():
    model = linear_model(Failing, LAW)
    model.protocol = Annealing(16, 4, 1)
    return model


ASKED = {
    "log_likelihood": lambda model, **skip: scores.log_likelihood(model, X, **SMALL, **skip),
    "importance_weighted_bound": lambda model, **skip: scores.importance_weighted_bound(
        model, X, num_samples=16, **skip
    ),
    "report": lambda model, **skip: scores.report(
        model, X, num_simulated=3, num_importance_samples=16, **SMALL, **skip
    )[0],
    "model": lambda model, **skip: model.log_likelihood(X, 1, **skip),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_chains_that_end_in_nan_are_told_by_image(model, ask):
    told = r"1 of 5 images \(number 3\) has weights that are NaN or infinite, in \d+ of 16 "
    with pytest.raises(FloatingPointError, match=told):
        ask(model)


def test_the_others_score_when_asked(model):
    found = ASKED["importance_weighted_bound"](model, skip_failed=True)
    assert 0 < found.failed_chains < 16 and np.isfinite(found.per_image).all()
    whole = scores.importance_weighted_bound(linear_model(zoo.VAE, LAW), X, num_samples=16)
    np.testing.assert_array_equal(np.delete(found.per_image, 3), np.delete(whole.per_image, 3))
    with eagerly():
        figures = ASKED["report"](model, skip_failed=True)
        asked = ASKED["model"](model, skip_failed=True)
    assert 0 < figures["failed_chains"] < 16
    assert all(np.isfinite(figures[name]) for name in ("log_likelihood", "bound", "bdmc_gap"))
    assert np.isfinite(asked["log_likelihood"]).all()
    assert np.flatnonzero(asked["failed_chains"]).tolist() == [3]


def test_a_wish_to_skip_is_yes_or_no(model):
    with pytest.raises(zoo.UsageError, match="skip_failed must be True or False; it was 3"):
        ASKED["report"](model, skip_failed=3)


def test_a_served_score_is_nan_where_nobody_asked_to_skip(model):
    served = type(model)._log_likelihood.method(model, {"x": tf.constant(X)}, tf.constant([1, 0]))
    assert np.flatnonzero(np.isnan(served["log_likelihood"])).tolist() == [3]
    assert np.flatnonzero(served["failed_chains"]).tolist() == [3]


def test_images_without_a_chain_are_left_out(monkeypatch, model):
    monkeypatch.setattr(Failing, "above", -np.inf)
    found = scores.importance_weighted_bound(model, X, num_samples=4, skip_failed=True)
    assert np.flatnonzero(np.isnan(found.per_image)).tolist() == [3] and found.failed_chains == 4
    assert found.mean == pytest.approx(np.delete(found.per_image, 3).mean())
    assert np.isfinite([found.stderr, found.chain_stderr]).all()
    with pytest.raises(FloatingPointError, match="in 4 of 4 samples; no other is left"):
        scores.importance_weighted_bound(model, X[3:4], num_samples=4, skip_failed=True)


def test_density_of_zero_is_a_weight_of_zero(monkeypatch, model):
    """So that scores stay estimates of p(x): no chain starts again, and none is left out."""
    monkeypatch.setattr(Failing, "bad", -np.inf)
    monkeypatch.setattr(Failing, "above", -0.5)
    zero, whole = (
        scores.importance_weighted_bound(m, X, num_samples=2000, skip_failed=True)
        for m in (model, linear_model(zoo.VAE, LAW))
    )
    assert zero.failed_chains == 0
    # What is left of p(x) is less than all of it.
    assert zero.per_image[3] < whole.per_image[3] - 0.01
    np.testing.assert_allclose(
        np.delete(zero.per_image, 3), np.delete(whole.per_image, 3), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("num_failed", "told"),
    [
        ([0, 2], r"p: 1 of 2 images \(number 1\) has .* in 2 of 4 chains; skip_failed=True"),
        ([1, 4], r"p: 2 of 2 images \(numbers 0, 1\) have .* in 5 of 8 chains; skip_failed"),
        ([1] * 9, r"9 of 9 images \(numbers 0, 1, 2, 3, 4 and 4 more\) have .* in 9 of 36 chains"),
        ([4, 4], "in 8 of 8 chains; no other is left"),
    ],
)
def test_sentences(num_failed, told):
    with pytest.raises(FloatingPointError, match=told):
        check_weights("p", np.array(num_failed), 4, skip_failed=False)


def test_figures_of_images_that_are_nan_are_told():
    values = np.array([1.0, np.nan, 2.0])
    with pytest.raises(FloatingPointError, match=r"mse: it is NaN for 1 of 3 images \(number 1\)"):
        check_figures("mse", values, skip_failed=False)
    check_figures("mse", values, skip_failed=True)
    with pytest.raises(FloatingPointError, match=r"\(number 1\)\.$"):
        check_figures("mse", values, skip_failed=None)


def test_runs_without_a_finite_score_are_not_compared(tmp_path):
    """Also of before, whose score was null."""
    runs = [scored_run("one"), scored_run("other")]
    runs[1].evaluation[1][1] = np.nan
    with pytest.raises(zoo.UsageError, match="1 of 2 in 'runs/other' have none"):
        analysis.check_scored_alike(runs)
    evaluation = {"log_likelihood": None, "num_images": 1}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "log_likelihood.csv").write_text("index,log_likelihood\n0,nan\n")
    with pytest.raises(zoo.UsageError, match="its log_likelihood in evaluation.json is unknown"):
        Run(str(tmp_path), None).evaluation  # noqa: B018 (it is read when asked for)
