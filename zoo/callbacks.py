"""Callbacks: three that every `fit` of the zoo runs, and one that logs pictures to TensorBoard."""

import math

import keras
import numpy as np
import tensorflow as tf
from absl import logging

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
        self.checkpoints = checkpoints

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.found = epoch, {}  # the metrics that are not finite, by step
        self.first_step = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        # Of several steps in several threads the first need not come first.
        if broken := _not_finite(logs):
            self.found[self.first_step + batch + 1] = broken
            self.model.stop_training = True

    def on_test_begin(self, logs=None):
        self._stop()  # before time is spent on a validation

    def on_epoch_end(self, epoch, logs=None):
        if not self.found and (broken := _not_finite(logs)):  # of the validation
            self.found[int(self.model.optimizer.iterations.numpy())] = broken
        self._stop()

    def _stop(self):
        if self.found:
            step, broken = min(self.found.items())
            raise FloatingPointError(
                f"training diverged in epoch {self.epoch + 1}, step {step}: {', '.join(broken)} "
                "not finite; a smaller learning rate or step size may help; "
                f"{told_last(self.checkpoints)}."
            )


class ChainHealth(keras.callbacks.Callback):
    """Warns, once in a run for each cause, when the chains of an epoch hardly moved or diverged.

    The first of several epochs is let pass, since encoder and step sizes are then still far off.

    Args:
      min_accept_rate: below this mean acceptance probability chains are stuck.
      max_energy_error: above this mean, in nats, trajectories diverge; one that does counts as
        1000.
    """

    def __init__(self, min_accept_rate: float = 0.1, max_energy_error: float = 10.0):
        super().__init__()
        self.min_accept_rate, self.max_energy_error = min_accept_rate, max_energy_error
        self.told = set()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0 and self.params["epochs"] > 1:
            return
        accept_rate, error = ((logs or {}).get(name) for name in ("accept_rate", "energy_error"))
        if accept_rate is not None and accept_rate < self.min_accept_rate:
            self._warn("accept_rate", f"epoch {epoch + 1}: accept_rate is {accept_rate:.3g}")
        if error is not None and error > self.max_energy_error:
            self._warn("energy_error", f"epoch {epoch + 1}: energy_error is {error:.3g} nats")

    def _warn(self, cause, observed):
        if cause not in self.told:
            self.told.add(cause)
            logging.warning("%s; %s", observed, _ADVICE[cause])


_ADVICE = {
    "accept_rate": (
        "chains hardly move: give smaller step sizes (step_size, min_step_size, max_step_size), "
        "or a higher target_accept."
    ),
    "energy_error": (
        "trajectories diverge: give smaller step sizes (step_size, min_step_size, max_step_size), "
        "or a lower learning rate."
    ),
}


def _not_finite(logs):
    return [name for name, value in (logs or {}).items() if not math.isfinite(value)]


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
