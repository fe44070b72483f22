"""The figure of exact bounds: a table of means over images, and bars as high as they say."""

import pytest
from runs import FakeRun

import samplers
import zoo
from zoo import analysis, scores


def dvae(digits, posterior):
    model = zoo.DVAE.for_data(
        digits, latent_dims=(2, 2), hidden=(4,), num_particles=4, posterior=posterior
    )
    for i, variable in enumerate(model.trainable_variables):
        variable.assign_add(0.1 * samplers.normal(variable.shape, i))
    return model


def test_figure(digits):
    models = [dvae(digits, posterior) for posterior in ("directed", "undirected")]
    runs = [FakeRun(f"run {k}", model, digits) for k, model in enumerate(models)]
    plot = analysis.draw("enumerated_bounds", runs, num_images=9)
    table = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    first, second = (scores.enumerate_latents(m, digits.test, num_images=9) for m in models)
    gain = second.log_likelihood - first.log_likelihood
    for name, values in (("log_likelihood", second.log_likelihood), ("kl", second.kl)):
        assert table[1][name] == pytest.approx(values.mean())
        assert table[1][f"{name}_stderr"] == pytest.approx(values.std(ddof=1) / 3)
    assert table[0]["gain"] == 0 == table[0]["gain_stderr"]
    assert table[1]["gain"] == pytest.approx(gain.mean())
    assert table[1]["gain_stderr"] == pytest.approx(gain.std(ddof=1) / 3)  # paired by image
    bars, gaps = plot.figure.axes[0].containers[1:]  # after the error bars
    tops = [-row["log_likelihood"] + row["kl"] for row in table]
    assert [bar.get_height() for bar in bars] == [-row["log_likelihood"] for row in table]
    assert [gap.get_y() + gap.get_height() for gap in gaps] == pytest.approx(tops)
