"""Callbacks that every `fit` of the zoo runs."""

import math

import keras

from zoo.data.pipeline import epoch_variable


class EpochSetter(keras.callbacks.Callback):
    """Tells the data pipelines which epoch it is, since their order is a function of it."""

    def on_epoch_begin(self, epoch, logs=None):
        epoch_variable().assign(epoch)


class StopOnDivergence(keras.callbacks.Callback):
    """Ends a run whose objective is no longer finite, before later callbacks can save it.

    Raises:
      FloatingPointError: at the end of the epoch, naming the metrics that are not finite.
    """

    def on_epoch_end(self, epoch, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            raise FloatingPointError(
                f"training diverged in epoch {epoch + 1}: {', '.join(broken)} not finite; "
                "a smaller learning rate or step size may help."
            )
