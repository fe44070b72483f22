"""Classification by glimpses (Gregor et al. 2015)."""

from typing import Self

import keras
import tensorflow as tf

import layers
from zoo.core.checks import check_count, check_seed
from zoo.core.dtypes import networks_of
from zoo.core.registry import register
from zoo.data import as_images, taught_by
from zoo.models.classifier import Classifier
from zoo.models.draw import GREGOR_2015


@register(
    tiny={"num_classes": 10, "num_glimpses": 2, "units": 16, "read_size": 3},
    paper=GREGOR_2015,
)
class RecurrentAttentionClassifier(Classifier):
    """Classifier that looks at an image in a few glimpses, through windows of attention.

    Its network is `layers.RecurrentReader`: no canvas, no error image and no latents, but the
    attention of DRAW (section 4.1).

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
        num_glimpses: int = 8,
        units: int = 256,
        read_size: int = 12,
        network: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with the network of the paper for `data`.

        Args:
          data: labelled images, what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          num_classes: C; None for that of `data`.
          num_glimpses: T.
          units: of the recurrent network.
          read_size: filters along a side of the window.
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
        check_count(num_glimpses=num_glimpses, units=units, read_size=read_size)
        check_seed(seed=seed)
        num_classes, _ = taught_by(data, num_classes, 1.0)
        with networks_of(dtype):
            network = network or layers.RecurrentReader(
                data.shape,
                num_classes,
                num_glimpses,
                units=units,
                read_size=read_size,
                seed=seed,
                name="network",
            )
        return cls(network, seed=seed, dtype=dtype, **kwargs)

    def look_in_glimpses(self, batch: dict) -> tuple:
        """Classifies images after each glimpse.

        Args:
          batch: [B, ...] each, pixels in [0, 1].

        Returns:
          log q(y given what was seen so far), [T, B, C], and the windows through which the model
          looked, a `layers.attention.Window` of [T, B].
        """
        logits, windows = self.network.glimpses(batch["x"])
        return tf.nn.log_softmax(tf.cast(logits, self.dtype)), windows
