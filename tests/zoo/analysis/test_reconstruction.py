"""Reconstruction errors against steps and layers, of runs that are not read from disk."""

import keras
import numpy as np
import pytest
from runs import scored_run

import zoo
from zoo import analysis
from zoo.parts import LayeredPrior, TwoLayerPosterior


def test_reconstruction_by_num_steps():
    runs = [
        scored_run("a", reconstruction_mse=0.02, name="ShortRun", num_steps=5),
        scored_run("b", reconstruction_mse=0.01, name="ShortRun", num_steps=25),
        scored_run("c", reconstruction_mse=0.04, name="ShortRun", num_steps=5),
        scored_run("d", reconstruction_mse=0.03, name="LadderVAE"),
    ]
    plot = analysis.draw("reconstruction_by_num_steps", runs)
    assert plot.columns[2:] == ("num_steps", "mse", "mse_in_minus_one_to_one")
    assert [row[:4] for row in plot.rows] == [
        ("runs/a", "ShortRun", 5, 0.02),
        ("runs/b", "ShortRun", 25, 0.01),
        ("runs/c", "ShortRun", 5, 0.04),
        ("runs/d", "LadderVAE", 0, 0.03),
    ]
    assert [row[4] for row in plot.rows] == pytest.approx([0.08, 0.04, 0.16, 0.12])
    _, short_run_means, _, ladder_means = plot.figure.axes[0].get_lines()
    np.testing.assert_allclose(short_run_means.get_xydata(), [[5, 0.03], [25, 0.01]])
    np.testing.assert_allclose(ladder_means.get_xydata(), [[0, 0.03]])


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["ShortRun"], "Langevin steps K"),
        (["ShortRun", "ABP"], "Langevin steps K"),
        (["HMCDLGM"], "transitions M"),
        (["HMCDLGM", "MHHMC"], "transitions M"),
        (["HMCDLGM", "ShortRun"], "steps of the chain"),
        ([], "steps of the chain"),
    ],
    ids=str,
)
def test_the_axis_tells_which_steps(names, label):
    runs = [scored_run(name, reconstruction_mse=0.1, name=name, num_steps=2) for name in names]
    runs.append(scored_run("none", reconstruction_mse=0.1, name="VAE"))
    plot = analysis.draw("reconstruction_by_num_steps", runs)
    assert plot.figure.axes[0].get_xlabel() == label


def network(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


def test_reconstruction_by_num_layers():
    """Those of the decoder, and those above them that it does not see."""
    layered = network(3, 5)
    layered.latent_dims = (1, 1, 1)
    upper = TwoLayerPosterior(network(3, 4)), LayeredPrior(network(2, 6))
    models = {
        "one": zoo.VAE(network(5, 6), network(3, 5)),
        "two": zoo.VAE(network(5, 6), network(3, 5), posterior=upper[0], prior=upper[1]),
        "three": zoo.ShortRun(layered),
    }
    runs = [scored_run(label, reconstruction_mse=0.1, name=label) for label in models]
    for run in runs:
        run.model = models[run.label]
    plot = analysis.draw("reconstruction_by_num_layers", runs)
    assert [row[2] for row in plot.rows] == [1, 2, 3]
    labels = [text.get_text() for text in plot.figure.axes[0].get_legend().get_texts()]
    assert labels == ["one", "two", "three"]


def test_what_is_refused():
    first = scored_run("first", reconstruction_mse=0.1, name="VAE")
    for other in ({"num_images": 3}, {"source": "mnist"}):
        runs = [first, scored_run("other", reconstruction_mse=0.1, name="VAE", **other)]
        with pytest.raises(zoo.UsageError, match="on the same images; first was .* and other"):
            analysis.draw("reconstruction_by_num_steps", runs)
    first.model = object()
    with pytest.raises(zoo.UsageError, match="must have layers of latents; that of first has none"):
        analysis.draw("reconstruction_by_num_layers", [first])
