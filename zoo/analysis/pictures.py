"""Pictures of what a model does, as PNG files."""

import math

import keras
import numpy as np

import samplers


def image_grid(rows: np.ndarray, smallest: int = 400) -> np.ndarray:
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


def square(images: np.ndarray) -> np.ndarray:
    """Images [N, ...event] as rows of a grid as square as can be, filled up with white."""
    side = math.ceil(math.sqrt(len(images)))
    num_rows = -(-len(images) // side)
    empty = np.ones((num_rows * side - len(images), *images.shape[1:]), images.dtype)
    return np.concatenate([images, empty]).reshape(num_rows, side, *images.shape[1:])


def samples(model, x: np.ndarray, num_samples: int = 100, seed: int = 0) -> dict[str, np.ndarray]:
    """What `model.sample` draws; of a conditional model completions of the first image of `x`."""
    given = dict.fromkeys(model.sample_fields, x[0] if len(model.sample_fields) else None)
    return model.sample(num_samples, seed, **given)


def reconstructions(model, x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Images above their reconstruction means: [2, B, ...event]."""
    return np.stack([x, model.reconstruct(x, seed)["mean"]])


def completions(
    model,
    x: np.ndarray,
    visible: np.ndarray,
    seed: int = 0,
    num_completions: int = 4,
    num_steps: int | None = None,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
    """Independent completions `x` and their expectations `mean`: [num_completions, B, ...event].

    Args:
      model: with a method `inpaint`.
      x: [B, ...event], pixels in [0, 1].
      visible: bool, like `x` or like one image; True = seen.
      seed: of all completions, each of which has its own from it.
      num_completions: of each image.
      num_steps: transitions of each chain; None is the model's own number.
      verbose: whether to show a progress bar.
    """
    bar = keras.utils.Progbar(num_completions, verbose=int(verbose), unit_name="completion")
    outputs = []
    for k in range(num_completions):
        outputs.append(model.inpaint(x, visible, samplers.fold_in(seed, k), num_steps))
        bar.update(k + 1)
    return {name: np.stack([output[name] for output in outputs]) for name in ("x", "mean")}


def inpainting(x: np.ndarray, visible: np.ndarray, completions: np.ndarray) -> np.ndarray:
    """Images, what is seen of them (grey is hidden), their completions, and how these differ.

    Args:
      x: [B, ...event], pixels in [0, 1].
      visible: bool, like `x` or like one image.
      completions: [n, B, ...event].

    Returns:
      [2 + n, B, ...event]; of two and more completions [3 + n, B, ...event], the last row being
      their standard deviation pixel by pixel, black for 0 and white for 0.5.
    """
    rows = [np.stack([x, np.where(visible, x, 0.5)]), completions]
    if len(completions) > 1:
        # Doubled: numbers in [0, 1] have no larger standard deviation than 0.5.
        rows.append(2 * completions.std(0, keepdims=True))
    return np.concatenate(rows)
