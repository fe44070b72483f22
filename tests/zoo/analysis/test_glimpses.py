"""Figures of models that draw, or look, in glimpses."""

import numpy as np
import pytest
from runs import FakeRun

import zoo
from layers import attention
from zoo import analysis
from zoo.analysis.glimpses import RED, with_windows


def test_windows_lie_where_they_say():
    """A window of 3 filters, 2 pixels apart, around pixel (4, 3) of an image."""
    window = attention.Window(*(np.array([v]) for v in (4.0, 3.0, 2.0, 1e-4, 1.0)))
    picture = with_windows(np.zeros((1, 8, 8, 1)), window, 3)[0]
    factor = len(picture) // 8
    red = np.abs(picture - RED).max(-1) < 0.01
    rows, columns = np.nonzero(red.any(1))[0], np.nonzero(red.any(0))[0]
    found = np.array([rows[0], rows[-1], columns[0], columns[-1]]) / factor
    np.testing.assert_allclose(found, [2.5, 6.5, 1.5, 5.5], atol=0.1)
    blank = with_windows(np.zeros((1, 8, 8, 1)), None, 3)
    assert blank.shape == (1, *picture.shape)
    assert not blank.any()


@pytest.mark.parametrize("attention", [True, False])
def test_figures_of_drawing(attention, digits):
    arguments = {"latent_dim": 2, "num_glimpses": 4, "units": 6, "attention": attention}
    run = FakeRun("draw", zoo.DRAW.for_data(digits, **arguments), digits)
    settings = {"num_samples": 2, "num_shown": 3}
    plot = analysis.draw("draw_canvases", [run], **settings)
    assert [row[1:3] for row in plot.rows] == [(n, t) for t in range(1, 5) for n in range(2)]
    assert len(plot.frames) == 4
    assert (plot.rows[0][-1] == "") == (not attention)
    means, _ = run.model.draw_in_glimpses(2, 0)
    change = np.abs(means[1] - means[0]).mean((1, 2, 3))
    np.testing.assert_allclose([row[3] for row in plot.rows[2:4]], change, rtol=1e-4)
    kl = analysis.draw("kl_by_glimpse", [run], num_images=20)
    assert [row[1] for row in kl.rows] == [1, 2, 3, 4]
    assert all(row[2] > 0 and row[3] > 0 for row in kl.rows)


def test_figure_of_looking(digits):
    model = zoo.RecurrentAttentionClassifier.for_data(digits, num_glimpses=3, units=8, read_size=3)
    plot = analysis.draw("glimpses", [FakeRun("look", model, digits)], num_images=2)
    assert [row[1] for row in plot.rows] == [0, 0, 0, 1, 1, 1]
    assert [row[3] for row in plot.rows] == [1, 2, 3, 1, 2, 3]
    batch = next(iter(digits.test))
    answer = model.classify(batch["x"].numpy()[:2])
    for row, y, probabilities in zip(
        plot.rows[2::3], answer["y"], answer["probabilities"], strict=True
    ):
        assert row[4] == y
        np.testing.assert_allclose(row[5], probabilities[y], rtol=1e-4)
    assert [row[2] for row in plot.rows[::3]] == batch["y"].numpy()[:2].tolist()


@pytest.mark.parametrize(
    ("name", "does"),
    [("draw_canvases", "draws"), ("kl_by_glimpse", "draws"), ("glimpses", "classifies")],
)
def test_other_models_are_refused(name, does, digits):
    run = FakeRun("vae", zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,)), digits)
    with pytest.raises(zoo.UsageError, match=f"model must be one that {does} in glimpses"):
        analysis.draw(name, [run])
