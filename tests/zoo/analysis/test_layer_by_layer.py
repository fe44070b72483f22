"""What fresh noise of one layer changes, on linear decoders and on top-down ones."""

import keras
import numpy as np
import pytest
from runs import FakeRun

import zoo
from zoo import analysis

WEIGHTS = 0.2 * np.random.default_rng(0).standard_normal((3, 64))


def short_run(latent_dims=(1, 2)):
    """Images in [-1, 1] are `WEIGHTS` times the noise of layers with so many latents."""
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))]
    )
    decoder.set_weights([WEIGHTS, np.zeros(64)])
    decoder.latent_dims = latent_dims
    return zoo.ShortRun(decoder)


def test_layer_by_layer():
    """Fresh noise of a layer moves a linear image by sqrt(2) times its own part of it."""
    run = FakeRun("linear", short_run())
    settings = {"num_columns": 4, "num_rows": 2, "num_draws": 4000}
    plot = analysis.draw("layer_by_layer", [run], **settings)
    assert analysis.draw("layer_by_layer", [run], **settings).rows == plot.rows
    assert analysis.draw("layer_by_layer", [run], seed=1, **settings).rows != plot.rows
    assert [row[:3] for row in plot.rows] == [
        ("linear", 2, 1),
        ("linear", 1, 2),
        ("linear", "all", 3),
    ]
    # Of pixels in [0, 1], half of those of images in [-1, 1].
    parts = 2 * np.square(WEIGHTS / 2).sum(1) / 64
    for row, part in zip(plot.rows, (parts[0], parts[1:].sum(), parts.sum()), strict=True):
        assert row[3] == pytest.approx(part, abs=4 * row[4])
        assert 0 < row[4] < 0.1 * part
    pictures = [axes.get_images()[0].get_array() for axes in plot.figure.axes]
    kept = [picture[:, : picture.shape[1] // 6] for picture in pictures]  # of 1 + gap + 4 columns
    np.testing.assert_array_equal(*kept)
    assert abs(pictures[0] - pictures[1]).max() > 0.1


@pytest.mark.parametrize("hierarchical", [False, True])
def test_top_down_decoders(hierarchical, digits):
    """The picture of noise is that of latents, for models that work in these."""

    def run(centred=False):
        model = zoo.ShortRun.for_data(
            digits, latent_dims=(2, 3, 4), width=8, hierarchical=hierarchical, centred=centred
        )
        return FakeRun("model", model)

    settings = {"num_columns": 2, "num_rows": 1, "num_draws": 20}
    plot = analysis.draw("layer_by_layer", [run()], **settings)
    assert [row[1:3] for row in plot.rows] == [(3, 2), (2, 3), (1, 4), ("all", 9)]
    assert all(row[3] > 0 for row in plot.rows)
    assert analysis.draw("layer_by_layer", [run(centred=True)], **settings).rows == plot.rows


def test_decoders_of_different_depth():
    runs = [FakeRun("two", short_run()), FakeRun("three", short_run((1, 1, 1)))]
    plot = analysis.draw("layer_by_layer", runs, num_columns=2, num_rows=1, num_draws=5)
    assert [row[:2] for row in plot.rows] == [
        *(("two", layer) for layer in (2, 1, "all")),
        *(("three", layer) for layer in (3, 2, 1, "all")),
    ]


def test_one_layer_is_refused():
    runs = [FakeRun("flat", short_run((3,)))]
    with pytest.raises(zoo.UsageError, match="several layers of latents; that of flat has not"):
        analysis.draw("layer_by_layer", runs)
