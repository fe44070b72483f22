"""Which pixels of an image are shown."""

import numpy as np

from zoo.checks import UsageError, check_choice

MASKS = ("left", "right", "top", "bottom", "box", "random")


def mask(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A mask of visible pixels, bool, `shape` (height, width, channels); False = hidden.

    Args:
      name: what is hidden: the "left", "right", "top" or "bottom" half, a "box" of half the side
        in the middle, or each pixel with probability one half at "random".
      shape: of one image.
      seed: of the random mask.
    """
    check_choice("mask", name, MASKS)
    if len(shape) != 3:
        raise UsageError(f"shape must be (height, width, channels); it was {tuple(shape)}.")
    height, width = shape[:2]
    rows, columns = np.mgrid[:height, :width]
    inside = (abs(2 * rows + 1 - height) <= height / 2) & (
        abs(2 * columns + 1 - width) <= width / 2
    )
    hidden = {
        "left": columns < width // 2,
        "right": columns >= width - width // 2,
        "top": rows < height // 2,
        "bottom": rows >= height - height // 2,
        "box": inside,
        "random": np.random.default_rng(seed).random((height, width)) < 0.5,
    }[name]
    return np.broadcast_to(~hidden[..., None], shape).copy()
