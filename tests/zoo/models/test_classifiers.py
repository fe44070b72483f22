"""What is special to classifiers: cross-entropy of what has a label, and glimpses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
import zoo
from zoo import scores

TINY = {"num_glimpses": 3, "units": 6, "read_size": 2}
X = np.random.default_rng(0).random((6, 4, 5, 1)).astype("f")
Y = np.array([0, 1, 2, 0, 1, 2], np.int32)


def linear(**kwargs):
    network = keras.Sequential(
        [keras.Input((4, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model = zoo.ConvolutionalClassifier(network, **kwargs)
    model.compile(jit_compile=False)
    return model


def test_training_descends_the_cross_entropy_of_keras():
    model = linear()
    logits = model.network(X)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(Y, logits)
    batch = {"x": tf.constant(X), "y": tf.constant(Y)}
    objectives, metrics = model.objectives(batch, {}, None, 0)
    np.testing.assert_allclose(objectives["classes"], loss, rtol=1e-5)
    np.testing.assert_allclose(metrics["accuracy"], np.mean(np.argmax(logits, 1) == Y))


def test_evaluation_is_of_what_has_a_label():
    model, some = linear(), np.where(np.arange(6) < 3, Y, -1)
    found = model.evaluate(X, some, batch_size=2, verbose=0, return_dict=True)
    expected = model.evaluate(X[:3], Y[:3], verbose=0, return_dict=True)
    assert found.keys() == expected.keys() == {"loss", "cross_entropy", "accuracy"}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    answer = model.classify(X)
    np.testing.assert_allclose(model.predict(X, verbose=0), answer["probabilities"], rtol=1e-5)
    report, per_image = scores.report(model, {"x": X, "y": Y}, verbose=False)
    assert report["accuracy"] == np.mean(answer["y"] == Y)
    assert report["log_likelihood"] is per_image is None


def test_the_last_glimpse_is_the_answer():
    """The first is at a place that no image changes."""
    model = zoo.RecurrentAttentionClassifier.for_data((X, Y), **TINY)
    log_probs, windows = model.look_in_glimpses({"x": tf.constant(X)})
    assert log_probs.shape == (3, 6, 3)
    np.testing.assert_allclose(np.exp(log_probs[-1]), model.classify(X)["probabilities"], rtol=1e-4)
    assert np.ptp(windows.centre_x[0]) == 0 < np.ptp(windows.centre_x[1])
    reader = model.network
    hidden, cell = reader.recurrent.start(6, "float32")
    for t in range(3):
        window = layers.attention.window(reader.where(hidden), 2, 4, 5)
        patch = tf.reshape(layers.attention.read(tf.constant(X), window, 2), [6, -1])
        hidden, cell = reader.recurrent(patch, hidden, cell)
        expected = tf.nn.log_softmax(reader.head(hidden))
        np.testing.assert_allclose(log_probs[t], expected, rtol=1e-4)


def test_sizes_of_the_paper():
    """Two convolutions of a canvas make maps of 20 and of 4; pooling makes as small ones."""
    for pooling in (False, True):
        model = zoo.ConvolutionalClassifier.for_data((100, 100, 1), num_classes=10, pooling=pooling)
        shapes = [v.shape for v in model.trainable_variables]
        assert shapes[::2] == [(10, 10, 1, 8), (10, 10, 8, 8), (128, 256), (256, 10)]


def test_learns_in_glimpses(digits):
    model = zoo.RecurrentAttentionClassifier.for_data(digits, num_glimpses=2, units=32, read_size=5)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    model.fit(digits.train, epochs=6, verbose=0)
    assert model.evaluate(digits.test, verbose=0, return_dict=True)["accuracy"] > 0.7


def test_mistakes_are_told():
    softmax = keras.Sequential(
        [keras.Input((4, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    for make, message in (
        (lambda: zoo.ConvolutionalClassifier(softmax), "network must give logits"),
        (lambda: zoo.ConvolutionalClassifier.for_data(X), "num_classes must be given"),
        (lambda: zoo.RecurrentAttentionClassifier.for_data((3, 4), num_classes=2), "data must be"),
        (lambda: linear().fit(X, np.full(6, -1), verbose=0), "y must hold labels from 0 to 2"),
        (lambda: linear().classify(255 * X), "x must hold pixels in"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            make()
