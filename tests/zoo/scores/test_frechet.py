"""The Fréchet distance against closed forms, and the networks whose features it compares."""

import dataclasses
import types
from unittest import mock

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
import tensorflow_probability as tfp
from checking import mutant

import zoo
from zoo import scores
from zoo.scores import frechet_distance

tfd = tfp.distributions

WIDTH = 4


def features(mean, root, num=50, seed=0):
    """Whose mean is exactly `mean`, [F], and whose covariance is exactly root^T root."""
    draws = np.random.default_rng(seed).standard_normal((num, len(root)))
    orthonormal, _ = np.linalg.qr(draws - draws.mean(0))
    return mean + np.sqrt(num - 1) * orthonormal @ root


def one_of_each(commuting):
    """Means and roots of two covariances, which share their axes or not."""
    rng = np.random.default_rng(1)
    rotations = [np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] for _ in range(2)]
    scales = rng.uniform(0.2, 3, (2, WIDTH))
    means = rng.standard_normal((2, WIDTH))
    axes = rotations[:1] * 2 if commuting else rotations
    return means, scales, [np.diag(s) @ a.T for s, a in zip(scales, axes, strict=True)]


@pytest.mark.parametrize("num", [50, WIDTH + 1])
def test_covariances_of_the_same_axes(num):
    means, scales, roots = one_of_each(commuting=True)
    found = frechet_distance(features(means[0], roots[0]), features(means[1], roots[1], num, 1))
    expected = np.square(means[0] - means[1]).sum() + np.square(scales[0] - scales[1]).sum()
    assert found == pytest.approx(expected, rel=1e-12)


def error_of(distance):
    """How far it is off for covariances of different axes, by the root of their product."""
    means, _, roots = one_of_each(commuting=False)
    covariances = [root.T @ root for root in roots]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(means[0] - means[1]).sum() + np.trace(sum(covariances) - 2 * root)
    return distance(features(means[0], roots[0]), features(means[1], roots[1], 30)) - expected


def test_covariances_of_different_axes():
    assert abs(error_of(frechet_distance)) < 1e-10


SQRTM = "__import__('scipy.linalg').linalg.sqrtm"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2 * overlap", "overlap"),
        (
            "np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()",
            f"np.trace({SQRTM}(root_a.T @ root_a) @ {SQRTM}(root_b.T @ root_b))",
        ),
        ("root_a @ root_b.T", "root_a @ root_b"),
        ("shift + spread", "spread"),
        ("np.square(mean_a - mean_b).sum()", "np.linalg.norm(mean_a - mean_b)"),
        ("(len(features) - 1)", "(len(features))"),
    ],
)
def test_wrong_formulas_are_rejected(right, wrong):
    assert abs(error_of(mutant("zoo.scores.frechet", right, wrong).frechet_distance)) > 1e-2


def test_covariances_of_rank_one():
    """Of two examples each, in many dimensions: |u|^2 + |v|^2 - 2 |u . v|."""
    u, v = np.random.default_rng(0).standard_normal((2, 100))
    pairs = [np.stack([w, -w]) / np.sqrt(2) for w in (u, v)]
    assert frechet_distance(*pairs) == pytest.approx(u @ u + v @ v - 2 * abs(u @ v), rel=1e-12)


def test_a_distance():
    """Zero from itself, the same from both sides, larger the further the mean is shifted."""
    one, two = np.random.default_rng(0).standard_normal((2, 30, 64)).astype(np.float32)
    one[:, :10] = 0  # dead units, as there are
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(one, two) == pytest.approx(frechet_distance(two, one), rel=1e-12)
    shifted = [frechet_distance(one, two.mean(0) + (one - one.mean(0)) + s) for s in (0, 1, 2)]
    assert shifted == sorted(shifted)


FINE = np.eye(3)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((FINE[:1], FINE), r"features_a must be at least two examples, \[N, F\]; it was \[1, 3\]"),
        ((FINE, FINE[None]), r"features_b must be at least two examples.*\[1, 3, 3\]"),
        ((FINE, FINE[:, :2]), "must be of the same width; they were 3 and 2 wide"),
        ((FINE, FINE * np.nan), "features_b must be finite"),
    ],
)
def test_what_the_distance_refuses(pair, message):
    with pytest.raises(zoo.UsageError, match=message):
        frechet_distance(*pair)


@pytest.fixture(scope="module")
def classifier(digits):
    return scores.classifier_features(digits, num_batches=800, verbose=False)


def test_the_classifier_classifies(classifier, images):
    assert classifier.accuracy > 0.95
    assert classifier(images).shape == (len(images), 64)
    np.testing.assert_allclose(classifier(images, chunk_size=7), classifier(images), atol=1e-5)


def test_the_classifier_is_a_function_of_its_seed(digits, images):
    first, again, other = (
        scores.classifier_features(digits, seed, num_batches=20, verbose=False)(images)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def model_of(draw, shape=(8, 8, 1)):
    """What `frechet` asks of a model: draws of `draw(num_samples, generator)`."""

    def sample(num_samples, seed):
        generator = np.random.default_rng(np.abs(np.asarray(seed)))
        return {"mean": draw(num_samples, generator)}

    return types.SimpleNamespace(event_shape=shape, sample=sample)


def test_scores_of_held_out_digits_and_of_noise(digits, classifier):
    held_out = np.concatenate([batch["x"] for batch in digits.validation])
    good = model_of(lambda num, generator: generator.permutation(held_out)[:num])
    # Outside [0, 1], too, as the mean of a Gaussian may be.
    noise = model_of(lambda num, generator: generator.uniform(-1, 2, (num, 8, 8, 1)))
    options = {"num_samples": 200, "verbose": False}
    of_good, of_noise = (
        scores.frechet(model, digits, classifier, **options) for model in (good, noise)
    )
    assert 0 < of_good["frechet_small"] < 3 * of_good["train_images"]
    assert of_noise["frechet_small"] > 10 * of_good["frechet_small"]
    assert of_noise["train_images"] == of_good["train_images"]
    numbers = {"num_samples": 200, "num_train_images": 200, "num_test_images": 300, "seed": 0}
    assert numbers.items() <= of_good.items()
    assert of_good["classifier_accuracy"] == classifier.accuracy


NOISE = model_of(lambda num, generator: generator.uniform(size=(num, 8, 8, 1)))


class Pixels(scores.FeatureNetwork):
    """Whose features are a row of pixels; it keeps the images that it saw last."""

    def __init__(self):
        super().__init__("pixels", lambda x: x[:, 4, :, 0], (8, 8, 1))

    def __call__(self, images, **options):
        self.seen = images
        return super().__call__(images, **options)


def test_numbers_of_images(digits):
    """As many as test images by default; all training images where more are asked for."""

    def numbers(**options):
        found = scores.frechet(NOISE, digits, Pixels(), verbose=False, **options)
        return [found[f"num_{of}"] for of in ("samples", "train_images", "test_images")]

    assert numbers() == [300, 300, 300]
    assert numbers(num_images=40) == [40, 40, 40]
    assert numbers(num_samples=2100) == [2100, 1250, 300]


def test_draws_of_all_parts(digits):
    """None repeats another; the seed decides them, and the chunk size does not."""
    network = Pixels()
    scores = [
        scores.frechet(
            NOISE, digits, network, num_samples=1500, seed=seed, chunk_size=size, verbose=False
        )["pixels"]
        for seed, size in ((0, 1000), (0, 70), (1, 1000))
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-9) and scores[0] != scores[2]
    assert len(np.unique(network.seen, axis=0)) == 1500  # the draws come last


class Halves:
    """Whose latents are the means of the two halves of an image, and its images those latents."""

    event_shape, compile_chains, name = (8, 8, 1), False, "halves"
    prior = tfd.Sample(tfd.Normal(0.0, 1.0), 2)

    def observe(self, x, seed):
        return x

    def infer(self, x, num_samples, seed):
        return tf.reduce_mean(tf.reshape(x, [num_samples, -1, 2, 32]), -1), {}

    def likelihood(self, z):
        return tfd.Deterministic(tf.reshape(tf.repeat(z, 32, -1), [*z.shape[:2], 8, 8, 1]))


def test_fitted_latents(digits):
    """Draws have the moments of the latents of the training images; other priors are refused."""
    network, train = Pixels(), np.concatenate([batch["x"] for batch in digits.train])
    latents = train.reshape(len(train), 2, 32).mean(-1)
    options = {"num_samples": 4000, "latents": "fitted", "verbose": False}
    found = scores.frechet(Halves(), digits, network, **options)
    drawn, error = network.seen.reshape(4000, 2, 32).mean(-1), latents.std() / 4000**0.5
    np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=4 * error)
    covariance = np.cov(latents.T)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=8 * covariance.max() / 4000**0.5)
    assert found["latents"] == "fitted" and len(np.unique(drawn, axis=0)) == 4000
    with (
        mock.patch.object(Halves, "prior", tfd.Sample(tfd.Normal(0.0, 2.0), 2)),
        pytest.raises(zoo.UsageError, match="'halves' has not"),
    ):
        scores.frechet(Halves(), digits, network, **options)


@pytest.mark.parametrize("number", ["num_samples", "num_images"])
def test_too_few_images(digits, number):
    with pytest.raises(zoo.UsageError, match=f"{number} must be greater than 0; it was 0"):
        scores.frechet(NOISE, digits, Pixels(), verbose=False, **{number: 0})


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


def test_weights_that_cannot_be_had(tmp_path):
    with pytest.raises(zoo.UsageError, match="fid_weights: there is no file 'no.h5'"):
        scores.inception_features("no.h5")
    broken = tmp_path / "broken.h5"
    broken.write_text("not HDF5")
    with pytest.raises(zoo.UsageError, match="fid_weights: cannot get .*broken.h5' of Inception"):
        scores.inception_features(broken)
    offline = mock.Mock(side_effect=Exception("URL fetch failure"))
    with (
        mock.patch.object(keras.applications, "InceptionV3", offline),
        pytest.raises(zoo.UsageError, match="'imagenet'.*URL fetch failure.*--fid_weights=PATH"),
    ):
        scores.inception_features()
