"""Callbacks that log to TensorBoard, and leave nothing unwritten after an epoch."""

import csv
import pathlib

import keras
import numpy as np
import tensorflow as tf

from zoo.analysis import pictures
from zoo.core.compiled import without_xla


class MetricsTable(keras.callbacks.CSVLogger):
    """A row for each epoch, behind those that are there, in their columns.

    Args:
      filename: of the table.
    """

    def __init__(self, filename: str):
        super().__init__(filename, append=True)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        with pathlib.Path(self.filename).open(newline="") as file:
            # Not those of the first epoch that comes, which need not be validated.
            self.keys = next(csv.reader(file), [])[1:] or None


class TensorBoard(keras.callbacks.TensorBoard):
    """As that of Keras, but what it logs of an epoch is in its files when the epoch has ended."""

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch)  # scalars of every step take time, and nobody reads them

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        for writer in self._writers.values():
            writer.flush()


class PictureLogger(keras.callbacks.Callback):
    """Writes grids of samples and reconstructions for TensorBoard.

    Args:
      log_dir: the folder of the logs, as of `keras.callbacks.TensorBoard`.
      x: examples to reconstruct, [N, ...event], or a dictionary of fields.
      every: epochs between pictures; those of the last epoch are always drawn.
      seed: of all pictures, so that they show the model's change and no other.
    """

    def __init__(self, log_dir: str, x: np.ndarray | dict, every: int = 10, seed: int = 0):
        super().__init__()
        self.log_dir, self.x, self.every, self.seed = str(log_dir), x, every, seed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        with without_xla(self.model):
            samples = pictures.samples(self.model, self.x, seed=self.seed)
            reconstructions = pictures.reconstructions(self.model, self.x, self.seed)
        samples = pictures.drawn(self.model, samples)
        drawn = {
            "samples": (pictures.square(samples), ()),
            "reconstructions": (reconstructions, pictures.RECONSTRUCTION_NAMES),
        }
        with self.writer.as_default():
            for name, (rows, names) in drawn.items():
                grid = pictures.image_grid(np.clip(rows, 0, 1), names=names)
                tf.summary.image(name, grid[None], step=epoch)
        self.writer.flush()

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(self.log_dir + "/pictures")

    def on_train_end(self, logs=None):
        self.writer.close()
