"""Callbacks: two that every `fit` of the zoo runs, and one that logs pictures to TensorBoard."""

import math

import keras
import numpy as np
import tensorflow as tf

from zoo import plots
from zoo.checkpoint import Checkpoints, told_last
from zoo.data.pipeline import epoch_variable


class EpochSetter(keras.callbacks.Callback):
    """Tells the data pipelines which epoch it is, since their order is a function of it."""

    def on_epoch_begin(self, epoch, logs=None):
        epoch_variable().assign(epoch)


class StopOnDivergence(keras.callbacks.Callback):
    """Ends a run at the first step whose objective is not finite, before later callbacks save it.

    Args:
      checkpoints: of this run, if it has some.

    Raises:
      FloatingPointError: naming the step, what is not finite, and the last good checkpoint.
    """

    async_safe = True  # Keras then runs it beside the training steps, which need not wait

    def __init__(self, checkpoints: Checkpoints | None = None):
        super().__init__()
        self.checkpoints, self.found = checkpoints, None

    def on_epoch_begin(self, epoch, logs=None):
        self.first_step = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken and not self.found:
            self.found = f"step {self.first_step + batch + 1}: {', '.join(broken)}"
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.found:
            raise FloatingPointError(
                f"training diverged in epoch {epoch + 1}, {self.found} not finite; a smaller "
                f"learning rate or step size may help; {told_last(self.checkpoints)}."
            )


class PictureLogger(keras.callbacks.Callback):
    """Writes grids of samples and reconstructions for TensorBoard.

    Args:
      log_dir: as of `keras.callbacks.TensorBoard`.
      x: images to reconstruct, [N, ...event].
      every: epochs between pictures; the last epoch of a fit is not left out.
      seed: of all pictures, so that they show the model's change and no other.
    """

    def __init__(self, log_dir: str, x: np.ndarray, every: int = 10, seed: int = 0):
        super().__init__()
        self.log_dir, self.x, self.every, self.seed = str(log_dir), x, every, seed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        pictures = {
            "samples": plots.square(plots.samples(self.model, self.x, seed=self.seed)["mean"]),
            "reconstructions": plots.reconstructions(self.model, self.x, self.seed),
        }
        with self.writer.as_default():
            for name, rows in pictures.items():
                tf.summary.image(name, plots.image_grid(np.clip(rows, 0, 1))[None], step=epoch)

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(self.log_dir + "/pictures")

    def on_train_end(self, logs=None):
        self.writer.close()
