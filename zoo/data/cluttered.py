"""Images at random places of a larger canvas, among pieces of others (Mnih et al. 2014)."""

import numpy as np

from zoo.core.checks import UsageError, check_count, check_count_or_0
from zoo.data.registry import read_source, register_source
from zoo.data.splits import SPLITS, Splits

_PIECE = 4096  # examples


@register_source("cluttered", name="SOURCE")
def read_cluttered(
    source: str,
    *,
    canvas: int = 100,
    num_distractors: int = 8,
    distractor_size: int = 8,
    data_dir: str | None = None,
    verbose: bool = True,
) -> Splits:
    """Returns the splits of another source, each image at a random place among distractors.

    These are square pieces at random of other images of the split, at random places, too; where
    ink overlaps, the brighter counts. Labels stay, and all is always the same.

    Args:
      source: as `zoo.data.load` takes it.
      canvas: side of the new images, in pixels.
      num_distractors: pieces of others in each.
      distractor_size: their side, in pixels.
      data_dir: as `zoo.data.load`.
      verbose: as `zoo.data.load`.

    Raises:
      UsageError: for what is no image, a canvas that is smaller than one, a piece that is larger,
        or a split of a single image, of which there is no other.
    """
    check_count(canvas=canvas, distractor_size=distractor_size)
    check_count_or_0(num_distractors=num_distractors)
    options = {} if data_dir is None else {"data_dir": data_dir}
    splits, fields = read_source(source, verbose, options)
    shape = fields["x"].shape
    if len(shape) != 3:
        raise UsageError(f"data: {source!r} must hold images; they were {list(shape)}.")
    if canvas < max(shape[:2]):
        raise UsageError(
            f"canvas must be at least as large as the images, {max(shape[:2])}; it was {canvas}."
        )
    if num_distractors and distractor_size > min(shape[:2]):
        raise UsageError(
            f"distractor_size must be at most that of the images, {min(shape[:2])}; it was "
            f"{distractor_size}."
        )
    cluttered = {}
    for name, arrays in splits.items():
        if num_distractors and len(arrays["x"]) < 2:
            raise UsageError(f"num_distractors must be 0 for a {name} split of a single image.")
        images = arrays["x"]
        if images.dtype != np.uint8:
            images = np.uint8(np.round(255 * np.clip(images, 0, 1)))
        rng = np.random.default_rng([0, SPLITS.index(name)])
        x = clutter(images, rng, canvas, num_distractors, distractor_size)
        cluttered[name] = arrays | {"x": x}
    return cluttered


def clutter(
    images: np.ndarray,
    rng: np.random.Generator,
    canvas: int,
    num_distractors: int,
    distractor_size: int,
) -> np.ndarray:
    """Puts images at random places of a canvas, among pieces of others.

    Args:
      images: bytes, [N, height, width, channels].
      rng: that places are drawn by.
      canvas: side of the new images, in pixels.
      num_distractors: pieces in each.
      distractor_size: their side, in pixels.

    Returns:
      Bytes, [N, canvas, canvas, channels].
    """
    size, *sides, channels = images.shape
    x = np.zeros((size, canvas, canvas, channels), np.uint8)
    _paste(x, images, np.arange(size), np.zeros((size, 2), int), _places(rng, size, canvas, sides))
    sides = [distractor_size] * 2
    for _ in range(num_distractors):
        others = (np.arange(size) + rng.integers(1, size, size)) % size  # never the image itself
        starts = np.stack(
            [rng.integers(0, side - distractor_size + 1, size) for side in images.shape[1:3]], 1
        )
        _paste(x, images, others, starts, _places(rng, size, canvas, sides), sides)
    return x


def _places(rng, size, canvas, sides):
    return np.stack([rng.integers(0, canvas - side + 1, size) for side in sides], 1)


def _paste(x, images, chosen, starts, places, sides=None):
    """Puts pieces of chosen images, from their starts on, at places of the canvases x."""
    height, width = sides or images.shape[1:3]
    for first in range(0, len(x), _PIECE):
        part = slice(first, first + _PIECE)
        row, column = (
            [at[part, axis, None] + np.arange(side) for at in (starts, places)]
            for axis, side in enumerate((height, width))
        )
        pieces = images[chosen[part, None, None], row[0][:, :, None], column[0][:, None]]
        here = np.arange(len(x))[part, None, None], row[1][:, :, None], column[1][:, None]
        x[here] = np.maximum(x[here], pieces)
