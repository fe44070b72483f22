"""Latents that are free but for a ball, and where they start: principal components of the images.

Bojanowski et al. (2018), "Optimizing the Latent Space of Generative Networks", section 2.
"""

import numpy as np
import tensorflow as tf

from zoo.data import Data
from zoo.parts.persistent_chains import PersistentChains


class FreeLatents(PersistentChains):
    """Latents of all training examples by which a model answers, so that presets keep them, too."""

    def save_own_variables(self, store):
        store["latents"] = self.states


def project_to_ball(z: tf.Tensor, radius: float) -> tf.Tensor:
    """Moves latents that are outside of a ball about 0 to its surface, and no others.

    Args:
      z: [..., K].
      radius: of the ball.

    Returns:
      The nearest points of the ball, [..., K].
    """
    return z / tf.maximum(tf.norm(z, axis=-1, keepdims=True) / radius, 1.0)


def pca_start(data: Data, start: np.ndarray, num_images: int) -> np.ndarray:
    """Replaces the start of latents by the principal components of their images in [-1, 1].

    They are not whitened. Images of fewer directions than latents have zeros for the others.

    Args:
      data: whose training pipeline is read twice.
      start: latents of all training examples, [N, K], which those keep that no batch of an epoch
        shows, and all where batches have no `index`, or no end.
      num_images: the principal directions are those of so many images; 0 leaves all as it is.

    Returns:
      The start, [N, K].
    """
    start = np.array(start)
    if not num_images or data.train is None or "index" not in data.train.element_spec:
        return start
    if data.train.cardinality() == tf.data.INFINITE_CARDINALITY:
        return start
    seen = np.concatenate([_flat(batch) for batch in _until(data.train, num_images)])
    mean, directions = principal_directions(seen[:num_images], start.shape[1])
    for batch in data.train:
        index = batch["index"].numpy()
        known = index < len(start)
        start[index[known]] = (_flat(batch)[known] - mean) @ directions.T
    return start


def principal_directions(rows: np.ndarray, num_directions: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the directions in which vectors vary most, by the smaller one of two eigenproblems.

    Args:
      rows: [N, D].
      num_directions: K.

    Returns:
      The mean [D]; and the directions [K, D], orthonormal, those of the largest variance first,
      each with a positive number of the largest size; zeros for those in which nothing varies.
    """
    rows = np.asarray(rows, np.float64)
    mean = rows.mean(0)
    rows = rows - mean
    few = len(rows) < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    num_kept = min(num_directions, int(np.sum(values > 1e-9 * max(values[-1], 1e-30))))
    directions = vectors[:, ::-1][:, :num_kept].T
    if few:
        directions = directions @ rows / np.sqrt(values[::-1][:num_kept, None])
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1)
    directions = directions * np.sign(largest)
    return mean, np.pad(directions, [(0, num_directions - num_kept), (0, 0)])


def _flat(batch):
    x = batch["x"].numpy()
    return 2 * x.reshape(len(x), -1) - 1


def _until(batches, num_images):
    """The first batches, of so many images together."""
    seen = 0
    for batch in batches:
        yield batch
        seen += len(batch["x"])
        if seen >= num_images:
            return
