"""Pictures of what a model does, as PNG files."""

import keras
import numpy as np

from zoo.data import mask


def image_grid(rows: np.ndarray, smallest: int = 200) -> np.ndarray:
    """Tiles images with thin lines between them and enlarges them by a whole factor.

    Args:
      rows: [R, C, height, width, channels], pixels in [0, 1].
      smallest: the shorter side of the picture has at least so many pixels.

    Returns:
      [height, width, channels] of the picture.
    """
    num_rows, num_columns, height, width = rows.shape[:4]
    side = min(num_rows * height, num_columns * width)
    factor = max(1, -(-smallest // side))
    rows = rows.repeat(factor, axis=2).repeat(factor, axis=3)
    line = max(1, factor // 8)
    rows = np.pad(rows, [(0, 0), (0, 0), (0, line), (0, line), (0, 0)], constant_values=0.5)
    return rows.swapaxes(1, 2).reshape(rows.shape[0] * rows.shape[2], -1, rows.shape[-1])


def save_grid(path, rows: np.ndarray) -> None:
    """Writes an `image_grid` as a PNG file."""
    # Scaled here: save_img would stretch each picture from its own minimum to its own maximum.
    picture = 255 * image_grid(np.clip(rows, 0.0, 1.0))
    keras.utils.save_img(path, picture, scale=False, file_format="png")


def samples(model, seed: int = 0, side: int = 10) -> np.ndarray:
    """A square of expected images of prior draws: [side, side, ...event]."""
    mean = model.sample(side * side, seed)["mean"]
    return mean.reshape(side, side, *mean.shape[1:])


def reconstructions(model, x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Images above their reconstruction means: [2, B, ...event]."""
    return np.stack([x, model.reconstruct(x, seed)["mean"]])


def inpaintings(model, x: np.ndarray, seed: int = 0, num_completions: int = 4) -> np.ndarray:
    """Per image: it, its visible half (grey is hidden), and completions: [2 + n, B, ...event]."""
    visible = mask("bottom", x.shape[1:])
    shown = np.where(visible, x, 0.5)
    means = [model.inpaint(x, visible, seed + k)["mean"] for k in range(num_completions)]
    return np.stack([x, shown, *means])
