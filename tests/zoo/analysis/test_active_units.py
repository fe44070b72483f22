"""The figure of active units: what is drawn, and what stands in its table."""

import numpy as np
from runs import FakeRun

from zoo import analysis, scores

VARIANCES = {  # by encoder and by HMC, of each unit
    "blind": ([0.0, 0.0], [-1e-5, 0.3]),
    "seeing": ([0.02, 1e-7, 0.5], [0.009, 0.02, 0.4]),
}


def test_figure(digits, monkeypatch):
    asked = []

    def found(model, data, threshold, **settings):
        asked.append((sum(len(batch["x"]) for batch in data), settings))
        variances = [np.array(values) for values in VARIANCES[model]]
        return scores.ActiveUnits(*variances, *((v > threshold).sum() for v in variances))

    monkeypatch.setattr(scores, "active_units", found)
    runs = [FakeRun(label, label, digits) for label in VARIANCES]
    plot = analysis.draw("active_units", runs, num_images=130, num_chains=2, num_draws=5, seed=3)
    assert asked == [(130, {"num_chains": 2, "num_draws": 5, "seed": 3})] * 2
    assert plot.columns == ("run", "unit", "encoder_variance", "hmc_variance")
    assert plot.rows == [
        (label, unit, *pair)
        for label, variances in VARIANCES.items()
        for unit, pair in enumerate(zip(*variances, strict=True))
    ]
    axes = plot.figure.axes[0]
    *lines, threshold = axes.get_lines()
    assert set(threshold.get_ydata()) == {0.01} and axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "blind, encoder: 0 of 2",
        "blind, HMC: 1 of 2",
        "seeing, encoder: 2 of 3",
        "seeing, HMC: 2 of 3",
    ]
    curves = [variance for variances in VARIANCES.values() for variance in variances]
    for line, variance in zip(lines, curves, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), np.sort(variance)[::-1].clip(1e-6))
    assert [line.get_linestyle() for line in lines] == ["--", "-"] * 2
