"""The Fréchet distance between samples and test images, in the features of some network.

Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium". The number means nothing without the network, so a score is called by its network.
"""

import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import samplers
from zoo.analysis.latents import num_latents
from zoo.core.checks import UsageError, check_choice, check_count
from zoo.core.fields import Field, PixelField
from zoo.core.generative import GenerativeModel
from zoo.data import Data
from zoo.scores.chunks import collect, in_chunks

LATENTS = ("prior", "fitted")


class FeatureNetwork:
    """From images [N, height, width, channels] in [0, 1] to features [N, F].

    Args:
      score: the name of the Fréchet distance between such features.
      network: from a batch of images to a batch of features, tensors.
      event_shape: of the images that it takes; None if it looks for itself.
      accuracy: the share of test images that it classifies rightly, where that is known.
    """

    def __init__(
        self,
        score: str,
        network: Callable[[tf.Tensor], tf.Tensor],
        event_shape: tuple[int, ...] | None = None,
        accuracy: float | None = None,
    ):
        self.score, self.event_shape, self.accuracy = score, event_shape, accuracy
        # Chunks are joined along the last axis.
        self._run = tf.function(lambda x: tf.transpose(network(x)), autograph=False)

    def __call__(self, images, *, chunk_size: int = 100, verbose: bool = False) -> np.ndarray:
        """The features of images, so many at a time, float32 [N, F].

        Raises:
          UsageError: for images that are not in [0, 1], or that the network does not take.
        """
        check_count(chunk_size=chunk_size)
        images = PixelField(self.event_shape or np.shape(images)[1:]).check("images", images)
        title = f"{self.score}: features of {len(images)} images"
        return in_chunks(self._run, (images,), chunk_size, title, verbose).T


def inception_features(weights: str | os.PathLike = "imagenet") -> FeatureNetwork:
    """The 2,048 pooled features of InceptionV3: the score is `fid_keras_inception`.

    The network is that of `keras.applications`, which differs from the one of 2015 behind published
    FIDs in weights and layers: its scores compare with each other, and with no published one.
    Images are resized to 299 by 299 pixels, grey ones repeated in three channels.

    Args:
      weights: "imagenet", which Keras downloads once, or the path of an HDF5 file of them, for the
        network without its top.

    Raises:
      UsageError: if the weights cannot be had; later, for images with other than 1 or 3 channels.
    """
    if weights != "imagenet" and not pathlib.Path(weights).is_file():
        raise UsageError(f"fid_weights: there is no file {str(weights)!r}.")
    try:
        inception = keras.applications.InceptionV3(
            include_top=False, pooling="avg", weights=str(weights)
        )
    except Exception as error:  # a download or a broken file can make Keras and HDF5 raise anything
        raise UsageError(
            f"fid_weights: cannot get the weights {str(weights)!r} of InceptionV3 "
            f"({' '.join(str(error).split())}); give --fid_weights=PATH of a file {INCEPTION_FILE}."
        ) from error

    def network(x):
        if x.shape.rank != 4 or x.shape[-1] not in (1, 3):
            raise UsageError(
                "images must have the shape [N, height, width, 1 or 3]; "
                f"it was {[None, *x.shape[1:]]}."
            )
        x = tf.image.resize(x, [299, 299], antialias=True)
        x = x if x.shape[-1] == 3 else tf.image.grayscale_to_rgb(x)
        x = keras.applications.inception_v3.preprocess_input(255 * x)
        return inception(x, training=False)

    return FeatureNetwork("fid_keras_inception", network)


INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"


def inception_is_here() -> bool:
    """Whether Keras has downloaded the weights of InceptionV3 before."""
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (home / "models" / INCEPTION_FILE).is_file()


def classifier_features(
    data: Data, seed: int = 0, *, num_batches: int = 3000, verbose: bool = True
) -> FeatureNetwork:
    """The 64 last hidden units of a small classifier of the data: the score is `frechet_small`.

    Two convolutions of stride 2 and a hidden layer, trained on the training split. Scores compare
    with each other where the data, their batches and order, and the seed are the same. (On a GPU,
    whose sums are not in a fixed order, only nearly so.)

    Args:
      data: images with classes.
      seed: of the initial weights.
      num_batches: to train on, of the training pipeline, over and over.
      verbose: whether to show a progress bar.

    Returns:
      The network, whose `accuracy` is that on the test split.

    Raises:
      UsageError: for data without classes, or that are not images.
    """
    check_count(num_batches=num_batches)
    labelled = all("y" in split.element_spec for split in (data.train, data.test))
    if not labelled or data.num_classes < 2 or len(data.shape) != 3:
        raise UsageError(
            "data must be images of at least two classes for features of a classifier; "
            f"they have the shape {list(data.shape)} and {data.num_classes} classes."
        )
    convolution = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
    hidden = keras.Sequential(
        [
            keras.layers.Input(data.shape),
            keras.layers.Conv2D(16, kernel_initializer=_initializer(seed, 0), **convolution),
            keras.layers.Conv2D(32, kernel_initializer=_initializer(seed, 1), **convolution),
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu", kernel_initializer=_initializer(seed, 2)),
        ]
    )
    logits = keras.layers.Dense(data.num_classes, kernel_initializer=_initializer(seed, 3))
    classifier = keras.Sequential([hidden, logits])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile("adam", loss, metrics=["accuracy"])
    train, test = (
        split.map(lambda batch: (batch["x"], batch["y"])) for split in (data.train, data.test)
    )
    if verbose:
        print(f"Features: training a classifier of {data.num_classes} classes", flush=True)
    classifier.fit(train.repeat(), steps_per_epoch=num_batches, shuffle=False, verbose=int(verbose))
    _, accuracy = classifier.evaluate(test, verbose=0)
    return FeatureNetwork("frechet_small", hidden, data.shape, accuracy)


def _initializer(seed, layer):
    words = samplers.fold_in(seed, "classifier", layer).numpy()
    return keras.initializers.GlorotUniform(int(words[0]) & 0x7FFFFFFF)


def frechet(
    model: GenerativeModel,
    data: Data,
    network: FeatureNetwork,
    *,
    num_samples: int | None = None,
    num_images: int | None = None,
    latents: str = "prior",
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, float | str | None]:
    """Scores a model's expected images, `mean` of its samples, against test images.

    On average the distance between two finite sets is above that between the laws they come from,
    the more so the smaller the sets: compare scores of equal numbers only, and with the score of as
    many training images, which a perfect model would have.

    Args:
      model: a fitted model.
      data: what it was fitted to.
      network: whose features are compared.
      num_samples: draws from the model; as many as test images by default.
      num_images: the first so many test images; all by default.
      latents: "prior", or "fitted": a Gaussian with the mean and covariance of the latents that the
        model infers for training images, for models whose prior is N(0, I). A score that is better
        for it tells that those do not look like draws of the prior.
      chunk_size: images at a time.
      seed: int, of the draws.
      verbose: whether to show progress bars.

    Returns:
      The distance of the samples from the test images, under the name of the network's score; that
      of the training images (the first `num_samples`, or all) as `train_images`; `num_samples`,
      `num_train_images` and `num_test_images`, the numbers of images; the network's
      `classifier_accuracy`, or None; `latents`; and `seed`.

    Raises:
      UsageError: for fewer than two images, images that model or network do not take, or fitted
        latents of a model with another prior.
    """
    check_choice("latents", latents, LATENTS)
    test = collect(model, data.test, num_images)
    num_samples = len(test) if num_samples is None else num_samples
    check_count(num_samples=num_samples, chunk_size=chunk_size)
    train = collect(model, data.train.rebatch(num_samples).take(1))
    if latents == "prior":
        samples = _draws(model, num_samples, seed)
    else:
        samples = _draws_of_fitted(model, collect(model, data.train), num_samples, seed)
    samples = np.clip(samples, 0, 1)
    of_test, of_train, of_samples = (
        network(images, chunk_size=chunk_size, verbose=verbose) for images in (test, train, samples)
    )
    return {
        network.score: frechet_distance(of_samples, of_test),
        "train_images": frechet_distance(of_train, of_test),
        "num_samples": num_samples,
        "num_train_images": len(train),
        "num_test_images": len(test),
        "classifier_accuracy": network.accuracy,
        "latents": latents,
        "seed": seed,
    }


_DRAWS_AT_A_TIME = 1000  # so that a decoder's memory does not grow


def _draws(model, num_samples, seed):
    size = min(num_samples, _DRAWS_AT_A_TIME)
    parts = [
        model.sample(size, samplers.fold_in(seed, "frechet", start))["mean"]
        for start in range(0, num_samples, size)
    ]
    return np.concatenate(parts)[:num_samples]


def _draws_of_fitted(model, images, num_samples, seed):
    num_latents(model)  # which refuses other priors

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def infer(x, index):
        batch = model.preprocess({"x": x}, samplers.fold_in(seed, "observe", index[0]))
        z, _ = model.infer(batch, 1, samplers.fold_in(seed, "infer", index[0]))
        return tf.transpose(z[0])

    inferred = in_chunks(infer, (images, np.arange(len(images))), 100, "", False).T
    mean, root = _fitted("latents", inferred)
    noise = samplers.normal([num_samples, len(root)], samplers.fold_in(seed, "frechet")).numpy()
    z = tf.constant(mean + noise @ root, tf.float32)
    decode = tf.function(lambda z: model.likelihood(z[None]).mean()[0], autograph=False)
    starts = range(0, num_samples, _DRAWS_AT_A_TIME)
    return np.concatenate([decode(z[k : k + _DRAWS_AT_A_TIME]) for k in starts])


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Between the Gaussians fitted to two sets of features (Dowson and Landau 1982).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^{1/2}), the square of the 2-Wasserstein distance.
    With C = R^T R, the trace of the root is the sum of the singular values of R_a R_b^T, which
    needs no root of a matrix, and is exact where the covariances have no full rank.

    Args:
      features_a: [N, F], N at least two.
      features_b: [M, F], M at least two.

    Raises:
      UsageError: for fewer than two examples, different widths, or features that are not finite.
    """
    mean_a, root_a = _fitted("features_a", features_a)
    mean_b, root_b = _fitted("features_b", features_b)
    if len(mean_a) != len(mean_b):
        raise UsageError(
            "features_a and features_b must be of the same width; "
            f"they were {len(mean_a)} and {len(mean_b)} wide."
        )
    shift = np.square(mean_a - mean_b).sum()
    spread = np.square(root_a).sum() + np.square(root_b).sum()
    overlap = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    # Of equal features rounding alone is left.
    return float(max(shift + spread - 2 * overlap, 0.0))


def _fitted(name, features):
    """The mean [F] and an R, [min(N, F), F], of which R^T R is the unbiased covariance."""
    shape = np.shape(features)
    if len(shape) != 2 or shape[0] < 2:
        raise UsageError(f"{name} must be at least two examples, [N, F]; it was {list(shape)}.")
    features = Field(shape[1:], "float64").check(name, features)
    mean = features.mean(0)
    return mean, np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")
