"""The Fréchet distance against closed forms, and what is compared by it."""

import types

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
import tensorflow_probability as tfp
from checking import mutant

import zoo
from zoo import scores
from zoo.core.fields import PixelField
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


# What is compared.

FIELDS = {"x": PixelField((8, 8, 1))}


class Pixels(scores.FeatureNetwork):
    """Whose features are a row of pixels; it keeps the images that it saw last."""

    def __init__(self):
        super().__init__("pixels", lambda x: x[:, 4, :, 0], (8, 8, 1), accuracy=0.25)

    def __call__(self, images, **options):
        self.seen = images
        return super().__call__(images, **options)


def model_of(draw):
    """What `frechet` asks of a model: draws of `draw(num_samples, generator)`."""

    def sample(num_samples, seed):
        generator = np.random.default_rng(np.abs(np.asarray(seed)))
        return {"mean": draw(num_samples, generator)}

    return types.SimpleNamespace(fields=FIELDS, sample=sample)


NOISE = model_of(lambda num, generator: generator.uniform(size=(num, 8, 8, 1)))
# Outside [0, 1], too, as the mean of a Gaussian may be.
WILD = model_of(lambda num, generator: generator.uniform(-1, 2, (num, 8, 8, 1)))


def test_held_out_digits_are_nearer_than_noise(digits):
    held_out = np.concatenate([batch["x"] for batch in digits.validation])
    good = model_of(lambda num, generator: generator.permutation(held_out)[:num])
    options = {"num_samples": 200, "verbose": False}
    of_good, of_wild = (
        scores.frechet(model, digits, Pixels(), **options) for model in (good, WILD)
    )
    assert 0 < of_good["pixels"] < 3 * of_good["train_images"]
    assert of_wild["pixels"] > 10 * of_good["pixels"]
    assert of_wild["train_images"] == of_good["train_images"]
    told = {"num_samples": 200, "num_train_images": 200, "num_test_images": 300, "seed": 0}
    assert of_good.items() >= (told | {"classifier_accuracy": 0.25, "latents": "prior"}).items()


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
    first, same, other = [
        scores.frechet(
            NOISE, digits, network, num_samples=1500, seed=seed, chunk_size=size, verbose=False
        )["pixels"]
        for seed, size in ((0, 1000), (0, 70), (1, 1000))
    ]
    assert first == pytest.approx(same, rel=1e-9) and first != other
    assert len(np.unique(network.seen, axis=0)) == 1500  # the draws come last


class Halves:
    """Whose latents are the means of the two halves of an image, and its images those latents."""

    fields, compile_chains, name = FIELDS, False, "halves"
    prior = tfd.Sample(tfd.Normal(0.0, 1.0), 2)

    def without_answers(self, batch):
        return batch

    def preprocess(self, batch, seed):
        return batch

    def infer(self, batch, num_samples, seed):
        return tf.reduce_mean(tf.reshape(batch["x"], [num_samples, -1, 2, 32]), -1), {}

    def expected(self, z):
        return tf.reshape(tf.repeat(z, 32, -1), [*z.shape[:2], 8, 8, 1])


def test_fitted_latents(digits, monkeypatch):
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
    monkeypatch.setattr(Halves, "prior", tfd.Sample(tfd.Normal(0.0, 2.0), 2))
    with pytest.raises(zoo.UsageError, match="'halves' has not"):
        scores.frechet(Halves(), digits, network, **options)


@pytest.mark.parametrize("number", ["num_samples", "num_images"])
def test_too_few_images(digits, number):
    with pytest.raises(zoo.UsageError, match=f"{number} must be greater than 0; it was 0"):
        scores.frechet(NOISE, digits, Pixels(), verbose=False, **{number: 0})
