"""The networks whose features a Fréchet distance compares, and what they refuse."""

import dataclasses
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import scores


def trained(digits, seed=0, num_batches=200):
    return scores.classifier_features(digits, seed, num_batches=num_batches, verbose=False)


@pytest.fixture(scope="module")
def classifier(digits):
    return trained(digits)


def test_the_classifier_classifies(classifier, images):
    assert classifier.accuracy > 0.9
    assert classifier.score == "frechet_small" and classifier(images).shape == (len(images), 64)
    np.testing.assert_allclose(classifier(images, chunk_size=7), classifier(images), atol=1e-5)


def test_the_initial_weights_are_a_function_of_the_seed(digits, images, monkeypatch):
    """What the training adds is one of the data and their order, as nothing in it is random."""
    monkeypatch.setattr(keras.Sequential, "fit", lambda *_, **__: None)
    monkeypatch.setattr(keras.Sequential, "evaluate", lambda *_, **__: (0.0, 0.5))
    one, same, other = (trained(digits, seed)(images) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_what_is_not_labelled_does_not_count(digits):
    """Whatever images have no label, the classifier that is trained is the same."""
    half = tf.range(50) < 25

    def unlabelled(noise):
        def change(batch):
            x = tf.where(half[:, None, None, None], batch["x"], noise)
            return batch | {"x": x, "y": tf.where(half, batch["y"], -1)}

        return dataclasses.replace(digits, train=digits.train.map(change))

    one, other = (trained(unlabelled(noise), num_batches=5) for noise in (0.0, 0.7))
    x = next(iter(digits.test))["x"]
    np.testing.assert_allclose(one(x), other(x), rtol=1e-5, atol=1e-6)


def test_what_a_classifier_refuses(digits, classifier):
    for data in (
        dataclasses.replace(digits, fields={"x": digits.fields["x"]}),
        dataclasses.replace(digits, test=digits.test.map(lambda batch: {"x": batch["x"]})),
    ):
        with pytest.raises(zoo.UsageError, match="data must be images of at least two classes"):
            scores.classifier_features(data, verbose=False)
    with pytest.raises(zoo.UsageError, match=r"images must have the shape \[N, 8, 8, 1\]"):
        classifier(np.zeros([2, 9, 9, 1]))


def test_what_inception_sees():
    """Images of its size, three channels and [-1, 1]: here an InceptionV3 that only looks."""
    seen = []

    def look(x, training):
        assert not training
        seen.append(x.shape)
        return tf.concat([tf.reduce_mean(x, [1, 2]), x[:, 0, 0], x[:, -1, -1]], -1)

    with mock.patch.object(keras.applications, "InceptionV3", return_value=look):
        network = scores.inception_features()
    grey = np.broadcast_to(np.array([0, 0.5, 1])[:, None, None, None], [3, 8, 8, 1])
    np.testing.assert_allclose(network(grey), [[-1] * 9, [0] * 9, [1] * 9], atol=1e-6)
    colours = np.broadcast_to([0, 0.25, 1], [2, 400, 300, 3])
    np.testing.assert_allclose(network(colours), [[-1, -0.5, 1] * 3] * 2, atol=1e-6)
    assert {tuple(shape[1:]) for shape in seen} == {(299, 299, 3)}
    with pytest.raises(zoo.UsageError, match=r"1 or 3\]; it was \[None, 8, 8, 2\]"):
        network(np.zeros([2, 8, 8, 2]))


@pytest.mark.slow
def test_inception_by_a_file_of_weights(tmp_path):
    """The features are those of Keras's network and preprocessing, here of random weights."""
    inception = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
    inception.save_weights(tmp_path / "some.weights.h5")
    x = np.random.default_rng(0).uniform(size=[1, 299, 299, 3]).astype(np.float32)
    network = scores.inception_features(tmp_path / "some.weights.h5")
    found = network(x)
    assert network.score == "fid_keras_inception" and found.shape == (1, 2048)
    expected = inception(keras.applications.inception_v3.preprocess_input(255 * x))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("weights", ["imagenet", "broken.h5"])
def test_weights_that_cannot_be_had(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.h5").write_text("not HDF5")
    with pytest.raises(zoo.UsageError, match="fid_weights: there is no file 'no.h5'"):
        scores.inception_features("no.h5")
    failing = mock.Mock(side_effect=OSError("URL fetch failure,\n or no HDF5"))
    with (
        mock.patch.object(keras.applications, "InceptionV3", failing),
        pytest.raises(zoo.UsageError, match=f"'{weights}'.*failure, or no.*--fid_weights=PATH"),
    ):
        scores.inception_features(weights)
