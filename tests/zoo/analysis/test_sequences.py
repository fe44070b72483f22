"""Figures of models of sequences, and the scores of their filters."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from runs import FakeRun

import samplers
import zoo
from zoo import analysis, scores


@pytest.fixture(scope="module")
def runs():
    """A VRNN and an RNN of rows of digits, the latter with other weights."""
    data = zoo.data.load("digit_rows", verbose=False)
    models = [
        zoo.VRNN.for_data(data, latent_dim=2, units=8, hidden=(8,)),
        zoo.RNN.for_data(data, units=8, hidden=(8,)),
    ]
    for model in models:
        model.compile(jit_compile=False)
    return [FakeRun(type(model).__name__, model, data) for model in models]


def test_kl_by_step(runs):
    plot = analysis.draw("kl_by_step", runs[:1], num_sequences=2)
    model, data = runs[0].model, runs[0].data
    kl = np.array([row[-1] for row in plot.rows]).reshape(2, 8)
    assert (kl > 0).all() and [row[1:3] for row in plot.rows[:9]][-1] == (1, 0)
    batch = {k: v[:2] for k, v in next(iter(data.test)).items() if k in ("x", "length")}
    path = model.unroll(model.preprocess(batch, samplers.fold_in(0, "observe")), 1, 0)
    np.testing.assert_allclose(kl.T, model.kl_by_step(path)[:, 0], rtol=1e-4)
    with pytest.raises(zoo.UsageError, match="model must be of sequences, with latents; RNN"):
        analysis.draw("kl_by_step", runs)
    other = dataclasses.replace(data, test=data.test.map(lambda b: b | {"x": 1 - b["x"]}))
    with pytest.raises(zoo.UsageError, match="same test sequences; other has others than VRNN"):
        analysis.draw("kl_by_step", [runs[0], FakeRun("other", model, other)])


def test_draws_beside_data(runs):
    plot = analysis.draw("draws_beside_data", runs, num_draws=3)
    assert [row[0] for row in plot.rows] == ["data", "VRNN", "RNN"]
    (picture,) = plot.figure.axes[0].images
    assert picture.get_array().ndim == 3
    shorter = analysis.draw("draws_beside_data", runs, num_draws=3, length=2)
    assert shorter.rows[0] == plot.rows[0] and shorter.rows[1] != plot.rows[1]


def test_scores_of_filters(runs):
    """Of an RNN all estimates are its bound; by step they are an eighth here."""
    with eagerly():
        found, per_image = scores.report(
            runs[1].model, runs[1].data.test, num_images=20, num_importance_samples=5, verbose=False
        )
    values = [found[k] for k in ("particle_filter", "bootstrap_filter", "bound")]
    assert values == pytest.approx([per_image.mean()] * 3, rel=1e-5)
    assert found["bound_per_step"] == pytest.approx(per_image.mean() / 8, rel=1e-5)
    assert found["particle_filter_per_step"] == pytest.approx(per_image.mean() / 8, rel=1e-5)
    assert found["share_at_floor"] is None


def test_scales_at_the_floor_are_reported():
    x = np.random.default_rng(0).standard_normal((30, 4, 3)).astype(np.float32)
    model = zoo.RNN.for_data(x, units=4, hidden=(4,), emission={"name": "gaussian", "floor": 1e3})
    model.compile(jit_compile=False)
    with eagerly():
        batch = {"x": x, "length": np.full(30, 2)}
        found, _ = scores.report(model, batch, num_importance_samples=2, verbose=False)
    assert found["share_at_floor"] == 1
    assert found["bound_per_step"] == pytest.approx(found["bound"] / 2, rel=1e-5)
    assert tf.math.is_finite(found["bound"])
