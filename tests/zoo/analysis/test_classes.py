"""Figures of models of classes, on models whose pictures are known."""

import keras
import ml_collections
import numpy as np
import pytest
import tensorflow as tf
from runs import FakeRun, image_run

import zoo
from zoo import analysis
from zoo.analysis import classes, pictures
from zoo.core.labels import LabelField, label_counts
from zoo.core.pipeline import pipeline
from zoo.data import Data

SHAPE, NUM_CLASSES = (4, 3, 1), 3


def data():
    """Images of noise, whose first pixels tell the class; labels of a fifth in training."""
    rng = np.random.default_rng(0)
    y = np.arange(60, dtype=np.int32) % NUM_CLASSES
    x = rng.random((60, *SHAPE)).astype(np.float32)
    x[:, 0, :, 0] = np.eye(NUM_CLASSES)[y]
    few = np.where(np.arange(60) < 12, y, -1)
    train = pipeline({"x": x, "y": few}, 20, seed=0)
    test = pipeline({"x": x, "y": np.where(np.arange(60) < 30, y, -1)}, 20)
    fields = {"y": LabelField(num_classes=NUM_CLASSES)}
    sizes = {"train": 60, "test": 60}
    counts = label_counts(few, NUM_CLASSES)
    return Data(train, test, test, fields, sizes, label_counts=counts)


def m2_run(label, latent_dim=2, **kwargs):
    """Of an M2 whose classifier knows the rule, and whose decoder shows style and class."""
    layers = keras.layers

    def network(inputs, outputs, kernel, bias=None):
        flat = [layers.Flatten()] if len(inputs) > 1 else []
        dense = layers.Dense(len(kernel[0]))
        reshape = [layers.Reshape(outputs)] if len(outputs) > 1 else []
        made = keras.Sequential([keras.Input(inputs), *flat, dense, *reshape])
        dense.set_weights([kernel, np.zeros(len(kernel[0])) if bias is None else bias])
        return made

    classifier = np.zeros((12, NUM_CLASSES))
    classifier[:NUM_CLASSES] = 6 * np.eye(NUM_CLASSES)
    decoder = 3 * np.eye(12)[: latent_dim + NUM_CLASSES]
    bias = np.repeat([0.0, -2.0], latent_dim)
    model = zoo.M2(
        network(SHAPE, (4,), np.zeros((12, 4))),
        network((latent_dim + NUM_CLASSES,), SHAPE, decoder),
        network(SHAPE, (NUM_CLASSES,), classifier),
        network((4 + NUM_CLASSES,), (2 * latent_dim,), np.zeros((7, 2 * latent_dim)), bias),
        label_share=0.2,
        **kwargs,
    )
    model.compile(jit_compile=False)
    config = ml_collections.ConfigDict(
        {"data": {"source": "noise"}, "model": {"name": "M2"}, "seed": 0}
    )
    return FakeRun(label, model, data(), config)


def test_styles_of_a_class():
    plot = analysis.draw("manifold", [m2_run("a")], side=3, y=1)
    picture = plot.figure.axes[0].get_images()[0].get_array()[..., 0]
    height, width = (size // 3 for size in picture.shape)
    # Behind the two latents stand three classes: pixel 3 is bright, 2 and 4 are grey.
    bright = picture[height // 3 :: height, width // 8 :: width]
    assert bright.shape == (3, 3) and bright.min() > 0.9
    with pytest.raises(zoo.UsageError, match="y must hold labels from 0 to 2"):
        analysis.draw("manifold", [m2_run("a")], y=3)
    with pytest.raises(zoo.UsageError, match="y must be left out: b is no model of classes"):
        analysis.draw("manifold", [image_run("b")], y=0)


def test_analogies():
    plot = analysis.draw("analogies", [m2_run("a"), m2_run("b")], num_styles=4)
    assert plot.rows == [(label, k, k % 3) for label in "ab" for k in range(4)]
    picture = plot.figure.axes[0].get_images()[0].get_array()[..., 0]
    height, width = (size // 4 for size in picture.shape)
    for y in range(NUM_CLASSES):  # below the test images, a row of each class
        row, column = divmod(2 + y, 3)
        top, left = (y + 1) * height + row * height // 4, column * width // 3
        assert picture[top + height // 8, left + width // 6 :: width].min() > 0.9
    with pytest.raises(zoo.UsageError, match="data of a must have 40 test images with a label"):
        analysis.draw("analogies", [m2_run("a")], num_styles=40)


def test_draws_of_all_classes_and_of_one():
    run = m2_run("a")
    x = next(iter(run.data.test))["x"].numpy()
    assert pictures.samples(run.model, x, 10)["mean"].shape == (10, *SHAPE)
    of_class = pictures.samples(run.model, x, 10, y=1)["mean"]
    assert (of_class[:, 1, 0, 0] > 0.9).all()  # pixel 3


def test_draws_by_class(monkeypatch):
    """By a classifier that reads the pixels by which the decoder shows a class."""
    flat = keras.layers.Flatten()
    reader = keras.Sequential([keras.Input(SHAPE), flat, keras.layers.Dense(3, use_bias=False)])
    reader.set_weights([np.eye(12)[:, 2:5]])
    monkeypatch.setattr(classes, "trained_classifier", lambda *_, **__: (reader, 0.75))
    plot = analysis.draw("draws_by_class", [m2_run("a")], num_draws=20, num_shown=2)
    assert plot.rows == [("a", y, 1.0, 0.75) for y in range(NUM_CLASSES)]
    reader.set_weights([np.eye(12)[:, [3, 4, 2]]])  # the test can fail
    rows = analysis.draw("draws_by_class", [m2_run("a")], num_draws=20, num_shown=2).rows
    assert max(row[2] for row in rows) == 0


def test_reliability_diagram():
    rows = analysis.draw("reliability_diagram", [m2_run("a")]).rows
    assert sum(row[1] for row in rows) == 30
    assert all(row[3] == 1.0 and 0.9 < row[2] <= 1 for row in rows)


def test_error_by_num_labels():
    plot = analysis.draw("error_by_num_labels", [m2_run("a")], hidden=8, epochs=100)
    methods = {row[1]: row for row in plot.rows}
    assert set(methods) == {"M2", "nearest neighbour", "supervised network"}
    assert methods["M2"][2] == 12 and methods["M2"][4] == 0.0
    assert methods["supervised network"][5:] == (0.0, 0.0)
    difference = methods["M2"][5]
    assert difference == -methods["supervised network"][4]


def test_component_collapse():
    run = m2_run("a")
    rows = analysis.draw("component_collapse", [run], num_images=50).rows
    # N(0, exp(-2)^2) whatever the image: KL = (exp(-4) - 1 + 4) / 2.
    for _, _, kl, variance, norm in rows:
        assert kl == pytest.approx((np.exp(-4) + 3) / 2, rel=1e-4)
        assert variance == pytest.approx(np.exp(-4), rel=1e-4)
        assert norm == pytest.approx(3.0)
    run.model.decoder.layers[0].kernel.assign(
        tf.tensor_scatter_nd_update(run.model.decoder.layers[0].kernel, [[1]], tf.zeros([1, 12]))
    )
    assert analysis.draw("component_collapse", [run], num_images=50).rows[1][-1] == 0


def test_latent_flight(tmp_path):
    plot = analysis.draw(
        "latent_flight", [image_run("a")], num_flights=2, num_stops=3, num_between=1
    )
    assert len(plot.frames) == len(plot.rows) == 6
    z = np.array([row[2:] for row in plot.rows])
    np.testing.assert_allclose(z[1], (z[0] + z[2]) / 2**0.5, atol=1e-6)
    np.testing.assert_allclose(z[5], (z[4] + z[0]) / 2**0.5, atol=1e-6)
    analysis.write(plot, tmp_path, "flight")
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".csv", ".gif"}
