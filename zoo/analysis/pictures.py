"""Pictures of what a model does: grids of images, as PNG files and inside figures."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

import samplers
from zoo.core.batches import as_batch
from zoo.core.checks import UsageError
from zoo.core.fields import Field
from zoo.core.progress import verbosity
from zoo.scores.chunks import collect_batch


def panels_in_a_row(number: int, width: float, height: float) -> tuple[Figure, Sequence[Axes]]:
    """A figure and its panels, beside each other, each so many inches wide and high."""
    figure = Figure(figsize=(width * number, height), layout="constrained")
    return figure, figure.subplots(1, number, squeeze=False)[0]


def image_grid(rows: np.ndarray, smallest: int = 400, names: Sequence[str] = ()) -> np.ndarray:
    """Tiles images with thin lines between them and enlarges them by a whole factor.

    Args:
      rows: [R, C, height, width, channels], pixels in [0, 1].
      smallest: the shorter side of the picture has at least so many pixels.
      names: what is written left of each row, or, if there are so many, of each image; nothing if
        there are none.

    Returns:
      [height, width, channels] of the picture.
    """
    num_rows, num_columns, height, width = rows.shape[:4]
    side = min(num_rows * height, num_columns * width)
    factor = max(1, -(-smallest // side))
    rows = rows.repeat(factor, axis=2).repeat(factor, axis=3)
    line = max(1, factor // 8)
    rows = np.pad(rows, [(0, 0), (0, 0), (0, line), (0, line), (0, 0)], constant_values=0.5)
    height, channels = rows.shape[2::2]
    if names:
        of_each = len(names) == num_rows * num_columns
        parts = rows if of_each else _in_a_line(rows)[:, None]
        margins = _margin(names, height, channels)
        margins = margins.reshape(num_rows, -1, *margins.shape[1:])
        rows = np.concatenate([margins, parts], 3)
    return _in_a_line(rows).reshape(num_rows * height, -1, channels)


def _in_a_line(rows):
    """Images beside each other, [R, height, C * width, channels]."""
    num_rows, _, height, _, channels = rows.shape
    return rows.swapaxes(1, 2).reshape(num_rows, height, -1, channels)


def _margin(names, height, channels):
    """A picture of each name, black on white, all as wide: [names, height, width, channels]."""
    font = ImageFont.load_default(size=min(24, height // 2))
    width = math.ceil(max(map(font.getlength, names))) + 8
    margins = []
    for name in names:
        margin = Image.new("L", (width, height), 255)
        ImageDraw.Draw(margin).text((width - 4, height / 2), name, 0, font, anchor="rm")
        margins.append(np.asarray(margin)[..., None].repeat(channels, -1) / np.float32(255))
    return np.stack(margins)


def picture(rows: Sequence[np.ndarray], names: Sequence[str] = ()) -> Image.Image:
    """Makes a picture of rows of images, which a notebook shows and `save` writes.

    Args:
      rows: equally many images each, [C, height, width, channels], pixels in [0, 1].
      names: as `image_grid`.

    Returns:
      An `image_grid`, as a picture.
    """
    # Scaled here: Keras would stretch each picture from its own minimum to its own maximum.
    grid = 255 * image_grid(np.clip(np.stack(rows), 0.0, 1.0), names=names)
    return keras.utils.array_to_img(grid, scale=False)


def save_grid(path, rows: np.ndarray, names: Sequence[str] = ()) -> None:
    """Writes an `image_grid` of rows, with their names if there are any, as a PNG file."""
    picture(rows, names).save(path, format="png")


def check_image_model(model) -> None:
    """Refuses a model whose observations are not images.

    Args:
      model: which says the shape of `x`.

    Raises:
      UsageError: if that is not the shape of an image.
    """
    shape = model.fields["x"].shape
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise UsageError(
            "model must be one of images [height, width, 1 or 3] to be shown; "
            f"{model.name!r} is one of {list(shape)}."
        )


def show_grid(axes: Axes, images: np.ndarray, labels: Sequence = ()) -> None:
    """Shows a grid of images inside a figure.

    Args:
      axes: where it is shown.
      images: [R, C, height, width, channels].
      labels: what stands below each column; nothing if there are none.
    """
    picture = np.clip(image_grid(images), 0.0, 1.0)
    axes.imshow(picture.repeat(3 // picture.shape[-1], axis=-1))
    centres = (np.arange(len(labels)) + 0.5) * picture.shape[1] / images.shape[1] - 0.5
    axes.set_xticks(centres, [str(label) for label in labels])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def square(images: np.ndarray) -> np.ndarray:
    """Lays images out in a grid as square as can be, filled up with white.

    Args:
      images: [N, ...event].

    Returns:
      Rows of images, [R, C, ...event].
    """
    side = math.ceil(math.sqrt(len(images)))
    num_rows = -(-len(images) // side)
    empty = np.ones((num_rows * side - len(images), *images.shape[1:]), images.dtype)
    return np.concatenate([images, empty]).reshape(num_rows, side, *images.shape[1:])


def shown(model, data, num_images: int | None = None) -> dict[str, np.ndarray]:
    """Returns the first examples as pictures show them: `x` and, of sequences, `length`.

    Labels are left out, so that a model that infers them does.

    Args:
      model: whose fields they are.
      data: as `zoo.scores.chunks.collect_batch` takes it.
      num_images: so many examples are taken; all by default.
    """
    batch = collect_batch(model, data, num_images)
    return {name: batch[name] for name in ("x", "length") if name in batch}


def drawn(model, answer: dict[str, np.ndarray]) -> np.ndarray:
    """Draws what a model answers as its field `x` has it: of images the expectation.

    Args:
      model: which says what `x` is.
      answer: draws `x` and their expectations `mean`, [..., *event].

    Returns:
      Images [..., height, width, channels].
    """
    field = model.fields["x"]
    return field.picture(answer[field.pictured])


RECONSTRUCTION_NAMES = ("image", "reconstruction")


def samples(model, x, num_samples: int = 100, seed: int = 0, **given) -> dict[str, np.ndarray]:
    """What `model.sample` draws, of a conditional model given the first example.

    Args:
      model: a generative model.
      x: images [B, ...event], or a dictionary of fields; None of a model without conditions.
      num_samples: of the draws.
      seed: of the draws.
      **given: what else the draws are conditional on.

    Returns:
      Draws `x` and their expectations `mean`, [num_samples, ...event].
    """
    # What `x_visible` of an image is, the image tells.
    needed = [name for name, field in model.sample_fields.items() if not field.optional]
    names = {name: name.removesuffix("_visible") for name in needed}
    batch = as_batch(x)
    seen = {k: batch[name][0] for k, name in names.items()}
    return model.sample(num_samples, seed, **seen, **given)


def reconstructions(model, x, seed: int = 0) -> np.ndarray:
    """Draws examples above their reconstructions.

    Args:
      model: a model with a method `reconstruct`.
      x: images [B, ...event], pixels in [0, 1], or a dictionary of the model's fields.
      seed: of the latents.

    Returns:
      Two rows of images, [2, B, ...event].
    """
    answer = model.reconstruct(x, seed)
    pictured = model.fields["x"].pictured
    return drawn(model, {pictured: np.stack([as_batch(x)["x"], answer[pictured]])})


def completions(
    model,
    x,
    visible: np.ndarray,
    seed: int = 0,
    num_completions: int = 4,
    num_steps: int | None = None,
    num_chains: int = 1,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
    """Completes images several times, independently.

    Args:
      model: a model with a method `inpaint`.
      x: images [B, ...event], pixels in [0, 1], or a dictionary of the model's fields.
      visible: bool, like the images or like one of them; True = seen.
      seed: of all completions, each of which has its own from it.
      num_completions: of each image.
      num_steps: transitions of each chain; None is the model's own number.
      num_chains: chains of each completion, by which it is seen whether they agree.
      verbose: whether a progress bar is shown.

    Returns:
      Completions `x` and their expectations `mean`, [num_completions, B, ...event]; from two chains
      up also `r_hat`, [num_completions, B].
    """
    bar = keras.utils.Progbar(num_completions, verbose=verbosity(verbose), unit_name="completion")
    chains = {"num_chains": num_chains} if num_chains > 1 else {}
    outputs = []
    for k in range(num_completions):
        outputs.append(model.inpaint(x, visible, samplers.fold_in(seed, k), num_steps, **chains))
        bar.update(k + 1)
    names = [name for name in ("x", "mean", "r_hat") if name in outputs[0]]
    return {name: np.stack([output[name] for output in outputs]) for name in names}


def inpainting(
    field: Field, x: np.ndarray, visible: np.ndarray, answers: dict[str, np.ndarray]
) -> tuple[np.ndarray, list[str]]:
    """Draws examples, what is seen of them (of images grey is hidden), and their completions.

    Args:
      field: of `x`, which says how it is drawn.
      x: [B, ...event].
      visible: bool, like `x` or like one example.
      answers: as `completions` returns them, [n, B, ...event].

    Returns:
      Rows of images, [2 + n, B, height, width, channels], and what they are. Of two and more
      completions of images there is one row more: their standard deviation pixel by pixel, black
      for 0 and white for 0.5. Of one example they fill a square, and each has its name.
    """
    pictured = answers[field.pictured]
    rows = [np.stack([x, np.where(visible, x, field.hidden)]), pictured]
    names = ["image", "seen", *(f"completion {k + 1}" for k in range(len(pictured)))]
    if len(pictured) > 1 and field.pictured == "mean":
        # Doubled: numbers in [0, 1] have no larger standard deviation than 0.5.
        rows.append(2 * pictured.std(0, keepdims=True))
        names.append("deviation, 0 to 0.5")
    picture = field.picture(np.concatenate(rows))
    if len(x) > 1:
        return picture, names
    picture = square(picture[:, 0])  # a column of its own would be long and thin
    return picture, names + [""] * (math.prod(picture.shape[:2]) - len(names))
