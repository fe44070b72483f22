"""What is shown of images and sequences, and how well the rest is completed."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np

from zoo.core.checks import UsageError, check_choice, check_positive
from zoo.core.choices import MASKS, SEQUENCE_MASKS, is_own_file
from zoo.core.request_fields import MaskField
from zoo.data.pictures import own_mask
from zoo.data.splits import Preparation

HALVES = MASKS[:4]
_CYCLES = 3.0  # a pattern's blobs: its frequencies fade out at so many waves per image


def mask(
    name: str,
    shape: tuple[int, ...],
    seed: int = 0,
    coverage: float | None = None,
    length: np.ndarray | None = None,
) -> np.ndarray:
    """Makes a mask of visible pixels, or of visible steps.

    Args:
      name: what is hidden: of images the "left", "right", "top" or "bottom" half, a "box" in the
        middle, each pixel by itself at "random", or a "pattern" of smooth random blobs; of
        sequences the "rest", which follows the first steps.
      shape: of one image, (height, width, channels), or of one sequence, (T, D).
      seed: of the random masks.
      coverage: the share of the pixels hidden, in (0, 1): of a box as near as whole pixels allow,
        of a pattern rounded to a whole number of pixels, of "random" each pixel's probability; of
        the rest the share of the steps, of which one at least is hidden, and one visible if there
        are two. None: a box of half the side, and half of the pixels or steps by the others.
      length: how many steps each sequence has, [B]; None is all T of one.

    Returns:
      A bool array of that shape, False = hidden; of several lengths [B, T, D].

    Raises:
      UsageError: for an unknown name, another shape, a coverage that is not in (0, 1), or one for
        a half.
    """
    check_choice("mask", name, (*MASKS, *SEQUENCE_MASKS))
    if name in SEQUENCE_MASKS:
        return _rest(shape, 0.5 if coverage is None else coverage, length)
    if len(shape) != 3:
        raise UsageError(f"shape must be (height, width, channels); it was {tuple(shape)}.")
    if coverage is not None:
        _check_coverage(name, coverage)
    height, width = shape[:2]
    rows, columns = np.mgrid[:height, :width]
    hidden = {
        "left": lambda: columns < width // 2,
        "right": lambda: columns >= width - width // 2,
        "top": lambda: rows < height // 2,
        "bottom": lambda: rows >= height - height // 2,
        "box": lambda: _box(height, width, coverage),
        "random": lambda: _generator(seed).random((height, width)) < (coverage or 0.5),
        "pattern": lambda: _pattern(height, width, coverage or 0.5, seed),
    }[name]()
    return np.broadcast_to(~hidden[..., None], shape).copy()


def completion_masks(
    model,
    names: Sequence[str] | None = None,
    seed: int = 0,
    coverage: float | None = None,
    *,
    default: str = "left",
    prepare: Preparation | None = None,
    length: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Makes the masks that a model is asked to complete images or sequences from.

    Args:
      model: whose `visible_field` says which it takes, and whether it takes but one.
      names: as `mask` takes them, or files, which `zoo.data.pictures.own_mask` reads; None is the
        only mask that the model takes, or else `default`.
      seed: of the random masks.
      coverage: as `mask`.
      default: the name of the mask of a model that takes any of several; where it is none of these,
        their first.
      prepare: of the pictures that masks in files belong to.
      length: as `mask`.

    Returns:
      Masks of what is visible, bool, like one example, by name; those of files by the file's.

    Raises:
      UsageError: as `mask`, for a broken file, for several masks of one name, or for another mask
        than the one that the model takes.
    """
    field = model.visible_field
    names = list(dict.fromkeys(names or []))
    if field.only is None:
        called = {pathlib.Path(name).stem if is_own_file(name) else name: name for name in names}
        if len(called) < len(names):
            raise UsageError(f"mask must have a name for each; it was {','.join(names)}.")
        for name in names:
            if not is_own_file(name) or len(field.shape) != 3:
                check_choice("mask", name, field.names)
        default = default if default in field.names else field.names[0]
        return {
            short: _of_file(name, field.shape, coverage, prepare)
            if is_own_file(name)
            else mask(name, field.shape, seed, coverage, length)
            for short, name in (called or {default: default}).items()
        }
    if coverage is not None:
        raise UsageError(
            "coverage must be left out for a model that has a mask of its own; "
            f"it was {coverage!r}."
        )
    for name in names:
        if is_own_file(name):
            field.check(f"mask: {name!r}", own_mask(name, field.shape, prepare))
        else:
            check_choice("mask", name, [field.called])
    return {field.called: field.only}


def _of_file(name, shape, coverage, prepare):
    if coverage is not None:
        raise UsageError(
            f"coverage must be left out with the mask {name!r}, a file; it was {coverage!r}."
        )
    return own_mask(name, shape, prepare)


def within(batch: dict[str, np.ndarray]) -> np.ndarray:
    """Says which numbers of the examples `x` there are, bool like these.

    They are those of the steps within the `length` of sequences, and all of images.
    """
    x = batch["x"]
    if "length" not in batch:
        return np.ones(x.shape, bool)
    steps = np.arange(x.shape[1]) < batch["length"][:, None]
    return np.broadcast_to(steps[..., None], x.shape)


def hidden_mse(x: np.ndarray, completed: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Computes the mean squared error on the hidden pixels of each image.

    Args:
      x: images [B, ...event], pixels in [0, 1].
      completed: their completions [..., B, ...event], whose visible pixels are not looked at.
      visible: bool, like `x` or like one image.

    Returns:
      [..., B] in float64, squared pixels.

    Raises:
      UsageError: if there is an image of which nothing is hidden.
    """
    event_axes = tuple(range(-x.ndim + 1, 0))
    hidden = ~MaskField(x.shape[1:]).check("visible", visible, len(x))
    if not hidden.any(event_axes).all():
        raise UsageError("visible must hide at least one pixel of each image; it hid none.")
    # Chosen before the difference, so that NaN in a visible pixel does not matter either.
    error = np.where(hidden, completed, 0.0) - np.where(hidden, x, 0.0)
    return np.square(error).sum(event_axes) / hidden.sum(event_axes)


def _rest(shape, coverage, length):
    if len(shape) != 2:
        raise UsageError(f"shape must be (T, D) for the mask 'rest'; it was {tuple(shape)}.")
    _check_coverage("rest", coverage)
    length = shape[0] if length is None else np.asarray(length)[..., None]
    num_visible = np.clip(np.round((1 - coverage) * length), 1, length - 1)
    visible = np.arange(shape[0]) < num_visible
    return np.broadcast_to(visible[..., None], (*visible.shape, shape[1])).copy()


def _check_coverage(name, coverage):
    if name in HALVES:
        raise UsageError(
            f"coverage must be left out with the mask {name!r}, which hides one half; "
            f"it was {coverage!r}."
        )
    check_positive(coverage=coverage)
    if coverage >= 1:
        raise UsageError(f"coverage must be less than 1; it was {coverage!r}.")


def _generator(seed):
    # NumPy refuses the negative seeds that `samplers.as_seed` takes.
    return np.random.default_rng(seed % 2**64 if isinstance(seed, int) else seed)


def _box(height, width, coverage):
    if coverage is None:
        box_height, box_width = (side - 2 * ((side + 1) // 4) for side in (height, width))
    else:
        box_height = max(1, round(height * math.sqrt(coverage)))
        # The width makes up for the rounding of the height.
        box_width = min(width, max(1, round(coverage * height * width / box_height)))
    top, left = (height - box_height) // 2, (width - box_width) // 2
    hidden = np.zeros((height, width), bool)
    hidden[top : top + box_height, left : left + box_width] = True
    return hidden


def _pattern(height, width, coverage, seed):
    """The lowest pixels of smoothed noise, as many as `coverage` says, and at least one."""
    noise = _generator(seed).standard_normal((height, width))
    vertical, horizontal = np.fft.fftfreq(height, 1 / height), np.fft.fftfreq(width, 1 / width)
    fading = np.exp(-np.add.outer(vertical**2, horizontal**2) / _CYCLES**2)
    field = np.fft.ifft2(fading * np.fft.fft2(noise)).real
    # Counted and not compared with a quantile: the share is exact, whatever the ties.
    hidden = np.zeros(height * width, bool)
    size = max(1, round(coverage * height * width))
    hidden[np.argsort(field, axis=None, kind="stable")[:size]] = True
    return hidden.reshape(height, width)
