"""Classification by a convolutional network, the baseline of classification by glimpses."""

from collections.abc import Sequence
from typing import Self

import keras

import layers
from zoo.core.checks import check_count, check_counts, check_flag, check_seed
from zoo.core.dtypes import networks_of
from zoo.core.registry import register
from zoo.data import as_images, taught_by
from zoo.models.classifier import Classifier
from zoo.models.draw import GREGOR_2015


@register(
    tiny={"num_classes": 10, "channels": (4,), "hidden": (16,), "kernel_size": 3, "stride": 2},
    variants={"pooling": {"pooling": True}},
    paper=GREGOR_2015,
)
class ConvolutionalClassifier(Classifier):
    """Classifier by convolutions and dense layers, the baseline of classification by glimpses.

    By default it is the network that Gregor et al. (2015, table 1) compare with: two layers of 8
    filters of 10 by 10 pixels with stride 5, and 256 hidden units.

    Args:
      network: as `Classifier`.
      **kwargs: as `Classifier`.
    """

    @classmethod
    def for_data(
        cls,
        data,
        *,
        num_classes: int | None = None,
        channels: Sequence[int] = (8, 8),
        kernel_size: int = 10,
        stride: int = 5,
        pooling: bool = False,
        hidden: Sequence[int] = (256,),
        network: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with a network for `data`.

        Args:
          data: labelled images, what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          num_classes: C; None for that of `data`.
          channels: of the convolutions.
          kernel_size: side of their windows, in pixels.
          stride: by which each makes its image smaller.
          pooling: whether it does that by the maxima of squares, and not by steps.
          hidden: units of each dense hidden layer after them.
          network: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights and of training.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        data = as_images(data)
        check_count(kernel_size=kernel_size, stride=stride)
        check_counts(channels=channels, hidden=hidden)
        check_flag(pooling=pooling)
        check_seed(seed=seed)
        num_classes, _ = taught_by(data, num_classes, 1.0)
        with networks_of(dtype):
            network = network or layers.convolutional_encoder(
                data.shape,
                channels,
                hidden,
                (num_classes,),
                activation="relu",
                kernel_size=kernel_size,
                stride=stride,
                pooling=pooling,
                seed=seed,
                name="network",
            )
        return cls(network, seed=seed, dtype=dtype, **kwargs)
