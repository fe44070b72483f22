"""M1: what it keeps of labelled examples, and how it classifies by it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.parts.likelihoods import Gaussian


def data(size=200, seed=0):
    """Three classes of five pixels, about means that latents can tell apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, size)
    centres = rng.permuted(np.tile([0.2, 0.4, 0.6, 0.7, 0.9], (3, 1)), axis=1)
    noise = 0.05 * rng.standard_normal((size, 5))
    return np.clip(centres[y] + noise, 0, 1).astype(np.float32), y.astype(np.int32)


X, Y = data()
FEW = np.where(np.arange(len(Y)) < 30, Y, -1)


def model_of(**kwargs):
    """Of two latents that are the first pixels' means; nothing is trained of them."""
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6)])
    kernel = np.zeros((5, 6))
    kernel[:3, :3] = 4 * np.eye(3)
    encoder.set_weights([kernel, np.repeat([0.0, -2.0], 3)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    arguments = {"num_labels": 30, "num_classes": 3, "likelihood": Gaussian(0.3)} | kwargs
    model = zoo.M1(encoder, decoder, **arguments)
    model.compile(keras.optimizers.SGD(1e-6), jit_compile=False)
    return model


@pytest.mark.parametrize("classifier", ["svm", "logistic"])
@pytest.mark.parametrize("self_training", [False, True])
def test_classes_are_learned_from_few_labels(classifier, self_training, tmp_path):
    model = model_of(classifier=classifier, self_training=self_training)
    model.fit({"x": X, "y": FEW}, batch_size=50, verbose=0)
    told = model.classify(X)
    assert np.mean(told["y"] == Y) > 0.95
    np.testing.assert_allclose(told["probabilities"].sum(1), 1, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.classify(X)["probabilities"], told["probabilities"])


@pytest.mark.parametrize("self_training", [False, True])
def test_features_that_are_not_finite_are_told(self_training, monkeypatch):
    """Of which scikit-learn raises errors of its own; the other images have their classes."""
    model = model_of(self_training=self_training)
    model.fit({"x": X, "y": FEW}, batch_size=50, verbose=0)
    expected, regular, some = model.classify(X[2:]), model.means, np.arange(len(X)) < 2

    def means(batch):
        features = regular(batch).numpy()
        features[some[: len(features)]] = np.nan
        return tf.constant(features)

    monkeypatch.setattr(model, "means", means)
    with pytest.warns(UserWarning, match="classify: 2 of 200 images hold or come of numbers that"):
        told = model.classify(X)
    np.testing.assert_array_equal(told["finite"], ~some)
    np.testing.assert_array_equal(told["y"][2:], expected["y"])
    some[:] = True
    with pytest.warns(UserWarning, match="classify: 3 of 3 images"):
        assert np.isnan(model.classify(X[:3])["probabilities"]).all()
    with pytest.raises(FloatingPointError, match=r"^the mean of q.*: it is NaN for 30 of 30 image"):
        model.keep_labelled(X, FEW)


def test_what_is_kept_are_the_means_of_labelled_examples():
    model = model_of()
    model.fit({"x": X, "y": FEW}, batch_size=50, verbose=0)
    kept = model.kept_features.numpy()
    expected = model.encode(X[:30])["q_mean"]
    np.testing.assert_allclose(np.sort(kept, 0), np.sort(expected, 0), atol=1e-5)
    np.testing.assert_array_equal(np.sort(model.kept_labels), np.sort(Y[:30]))
    # Pipelines of other orders, and labels that are not there, change nothing.
    again = model_of()
    pipeline = zoo.core.pipeline.pipeline({"x": X, "y": FEW}, 50, seed=5)
    again.fit(pipeline, verbose=0)
    np.testing.assert_allclose(again.kept_features, kept, atol=2e-3)  # a step is in between


def test_reports_tell_accuracy_and_calibration():
    model = model_of(classifier="logistic")
    model.fit({"x": X, "y": FEW}, batch_size=50, verbose=0)
    asked = {"num_simulated": 0, "num_importance_samples": 2, "num_chains": 2, "num_increments": 2}
    told, _ = zoo.scores.report(model, {"x": X[:50], "y": Y[:50]}, verbose=False, **asked)
    assert told["accuracy"] == np.mean(model.classify(X[:50])["y"] == Y[:50])
    assert 0 < told["calibration_error"] < 0.3
    told, _ = zoo.scores.report(model, X[:50], verbose=False, **asked)
    assert told["accuracy"] is None


def test_bad_questions_are_told():
    with pytest.raises(zoo.UsageError, match="classify must be asked after fit"):
        model_of().classify(X)
    with pytest.raises(zoo.UsageError, match="y must hold 10 labels, for which the model was made"):
        model_of(num_labels=10).fit({"x": X, "y": FEW}, batch_size=50, verbose=0)
    with pytest.raises(zoo.UsageError, match="'svn' is unknown|classifier"):
        model_of(classifier="svn")


def test_what_cannot_be_read_twice_is_told_before_training():
    pipeline = zoo.core.pipeline.pipeline({"x": X, "y": FEW}, 50, seed=5)
    for data, message in (
        (pipeline.repeat(), "x must be arrays, or batches that end and can be read twice"),
        (iter(pipeline), "x must be arrays, or batches that end and can be read twice"),
    ):
        model = model_of()
        with pytest.raises(zoo.UsageError, match=message):
            model.fit(data, steps_per_epoch=2, verbose=0)
        assert int(model.training_step) == 0
    few = np.where(np.cumsum(Y == 1) == 1, Y, np.where(Y == 1, -1, FEW))
    few = np.where((few == 1) & (np.cumsum(few == 1) > 1), -1, few)
    with pytest.raises(zoo.UsageError, match="y must hold two labels of every class"):
        model_of(num_labels=200).fit({"x": X, "y": few}, batch_size=50, verbose=0)


def test_labels_of_the_validation_share_are_not_kept():
    model = model_of(num_labels=30)
    model.fit({"x": X, "y": FEW}, batch_size=10, validation_split=0.9, verbose=0)
    kept = model.kept_labels.numpy()
    assert (kept >= 0).sum() == 19
