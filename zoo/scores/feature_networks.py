"""Networks whose features a Fréchet distance compares: InceptionV3, and a small classifier."""

import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError, check_count
from zoo.core.fields import PixelField
from zoo.core.progress import verbosity
from zoo.data import Data
from zoo.scores.chunks import in_chunks

INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"


class FeatureNetwork:
    """A function from images [N, height, width, channels] in [0, 1] to features [N, F].

    Args:
      score: the name of the Fréchet distance between such features.
      network: takes a batch of images and returns a batch of features, tensors.
      event_shape: the shape of the images that it takes; None if it looks for itself.
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
        """Computes the features of images.

        Args:
          images: [N, height, width, channels], pixels in [0, 1].
          chunk_size: images at a time.
          verbose: whether a progress bar is shown.

        Returns:
          Their features, float32 [N, F].

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

    Returns:
      The network.

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


def inception_is_here() -> bool:
    """Returns whether Keras has downloaded the weights of InceptionV3 before."""
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (home / "models" / INCEPTION_FILE).is_file()


def classifier_features(
    data: Data, seed: int = 0, *, num_batches: int = 3000, verbose: bool = True
) -> FeatureNetwork:
    """The 64 last hidden units of a small classifier of the data: the score is `frechet_small`.

    Two convolutions of stride 2 and a hidden layer are trained on the training split. Scores
    compare with each other where the data, their batches and order, and the seed are the same. (On
    a GPU, whose sums are not in a fixed order, only nearly so.)

    Args:
      data: images with classes.
      seed: of the initial weights.
      num_batches: so many batches are trained on, of the training pipeline, over and over.
      verbose: whether a progress bar is shown.

    Returns:
      The network, whose `accuracy` is that on the test split.

    Raises:
      UsageError: for data without classes, or that are not images.
    """
    classifier, accuracy = trained_classifier(data, seed, num_batches=num_batches, verbose=verbose)
    return FeatureNetwork("frechet_small", classifier.layers[0], data.shape, accuracy)


def trained_classifier(
    data: Data, seed: int = 0, *, num_batches: int = 3000, verbose: bool = True
) -> tuple[keras.Model, float]:
    """A small classifier of the data, whose first layer is that of `classifier_features`.

    Args:
      data: images with classes.
      seed: of the initial weights.
      num_batches: so many batches are trained on, of the training pipeline, over and over.
      verbose: whether a progress bar is shown.

    Returns:
      The classifier, from images [N, ...event] to logits, and its accuracy on the test split.

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
    classifier.compile("adam", loss, weighted_metrics=["accuracy"])
    train, test = (split.map(_labelled) for split in (data.train, data.test))
    if verbose:
        print(f"Features: training a classifier of {data.num_classes} classes", flush=True)
    classifier.fit(
        train.repeat(), steps_per_epoch=num_batches, shuffle=False, verbose=verbosity(verbose)
    )
    _, accuracy = classifier.evaluate(test, verbose=0)
    return classifier, accuracy


def _labelled(batch):
    """Images, labels and weights, of which what is not labelled has 0."""
    labelled = batch["y"] >= 0
    return batch["x"], tf.where(labelled, batch["y"], 0), tf.cast(labelled, tf.float32)


def _initializer(seed, layer):
    words = samplers.fold_in(seed, "classifier", layer).numpy()
    return keras.initializers.GlorotUniform(int(words[0]) & 0x7FFFFFFF)
