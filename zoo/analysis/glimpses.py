"""What a model draws glimpse by glimpse, and what each glimpse costs (Gregor et al. 2015)."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

import samplers
from layers import attention
from zoo.analysis.pictures import check_image_model, image_grid, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect_batch, preprocessed

RED = (1.0, 0.1, 0.1)
_SMALLEST_SIDE = 96  # of an image that a window is drawn on, in pixels of the picture


@register_figure
def draw_canvases(
    runs: Sequence[Run], *, num_samples: int = 8, num_shown: int = 10, seed: int = 0
) -> Plot:
    """What is on the canvas after each glimpse, with the window through which that was written.

    A row for each draw of the model, E[x given c_t] from left to right, of at most so many glimpses
    as evenly as they go. Where the model has attention, the rectangle is that of the outer filters,
    and its line as wide as their standard deviation. In the moving picture are all glimpses.

    The table has the mean change that a glimpse makes to a pixel in [0, 1], and the windows.

    Args:
      runs: of models that draw in glimpses.
      num_samples: draws.
      num_shown: glimpses in a row of the picture.
      seed: int, of the draws, which are the same for all runs whose latents are alike.

    Returns:
      The picture, the moving one of the first run, and a table with a row for each glimpse of each
      draw.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_samples=num_samples, num_shown=num_shown)
    figure, panels = panels_in_a_row(len(runs), 9, 0.9 * num_samples + 0.5)
    rows, frames = [], []
    for run, axes in zip(runs, panels, strict=True):
        check_image_model(run.model)
        _check_glimpses(run)
        means, windows = run.model.draw_in_glimpses(num_samples, seed)
        size = run.model.decoder.write_size if windows is not None else 0
        pictures = with_windows(means.numpy(), windows, size)
        frames = frames or [image_grid(_in_two_rows(frame)) for frame in pictures]
        shown = np.unique(np.linspace(0, len(means) - 1, num_shown).round().astype(int))
        show_grid(axes, pictures[shown].swapaxes(0, 1), labels=shown + 1)
        axes.set(title=run.label, xlabel="glimpse")
        change = np.abs(np.diff(means, axis=0, prepend=0.5)).mean((2, 3, 4))
        for t, n in np.ndindex(*change.shape):
            where = [float(one[t, n]) for one in windows[:3]] if windows is not None else [""] * 3
            rows.append((run.label, n, t + 1, float(change[t, n]), *where))
    columns = ("run", "draw", "glimpse", "mean_change", "centre_y", "centre_x", "stride")
    return Plot(figure, columns, rows, frames)


@register_figure
def kl_by_glimpse(runs: Sequence[Run], *, num_images: int = 300, seed: int = 0) -> Plot:
    """How many nats each glimpse takes: KL(q(z_t given x and those before) || N(0, I)).

    The mean over test images at one draw of the latents each, with its standard error.

    Args:
      runs: of models that draw in glimpses.
      num_images: the first so many test images, or all where there are fewer.
      seed: int, of the draws and of the binarisation.

    Returns:
      The picture, and a table with a row for each glimpse of each run.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_images=num_images)
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    rows = []
    for run in runs:
        _check_glimpses(run)
        size = min(num_images, run.data.num_examples["test"])
        batch = preprocessed(run.model, collect_batch(run.model, run.data.test, size), seed)
        kl = run.model.kl_by_glimpse({k: tf.constant(v) for k, v in batch.items()}, seed).numpy()
        mean, stderr = kl.mean(1), samplers.standard_error(kl.T)
        glimpses = np.arange(1, len(kl) + 1)
        label = f"{run.label}, {mean.sum():.1f} nats"
        axes.errorbar(glimpses, mean, stderr, marker="o", markersize=3, label=label)
        found = np.stack([mean, stderr], 1).tolist()
        rows += [(run.label, t, *told) for t, told in enumerate(found, start=1)]
    axes.set(xlabel="glimpse", ylabel="KL to the prior, nats", ylim=(0, None))
    axes.legend()
    return Plot(figure, ("run", "glimpse", "kl", "stderr"), rows)


@register_figure
def glimpses(runs: Sequence[Run], *, num_images: int = 6, seed: int = 0) -> Plot:
    """Where a classifier looks, glimpse by glimpse, and what it takes an image for by then.

    A row for each test image, whose label stands left; over each glimpse stand the class that is
    the most probable after it, and its probability. The rectangle is as in `draw_canvases`.

    Args:
      runs: of models that classify in glimpses.
      num_images: the first so many test images, or all where there are fewer.
      seed: int, which nothing depends on.

    Returns:
      The picture, and a table with a row for each glimpse of each image.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_images=num_images)
    for run in runs:
        if not defines(run.model, "look_in_glimpses"):
            raise UsageError(
                f"model must be one that classifies in glimpses; that of {run.label} is not."
            )
    looks = [_looks(run, num_images) for run in runs]
    most = max(log_probs.shape[0] for _, log_probs, _ in looks)
    num_shown = sum(len(batch["x"]) for batch, _, _ in looks)
    figure = Figure(figsize=(1.5 * most, 1.7 * num_shown), layout="constrained")
    panels = figure.subplots(num_shown, most, squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    rows, panels = [], iter(panels)
    for run, (batch, log_probs, windows) in zip(runs, looks, strict=True):
        images = np.broadcast_to(batch["x"], (len(log_probs), *batch["x"].shape))
        drawn = with_windows(images, windows, run.model.network.read_size)
        probs, classes = np.exp(log_probs.max(-1)), log_probs.argmax(-1)
        for n, label in enumerate(batch["y"].tolist()):
            line = next(panels)
            line[0].set_ylabel(f"{run.label}: {label}")
            for t, axes in enumerate(line[: len(log_probs)]):
                axes.imshow(drawn[t, n])
                axes.set_title(f"{classes[t, n]} ({probs[t, n]:.2f})", fontsize="small")
                where = [float(one[t, n]) for one in windows[:3]]
                told = int(classes[t, n]), float(probs[t, n])
                rows.append((run.label, n, label, t + 1, *told, *where))
    columns = ("run", "image", "label", "glimpse", "class", "probability")
    return Plot(figure, (*columns, "centre_y", "centre_x", "stride"), rows)


def _looks(run, num_images):
    """Test images, log q(y given x) after each glimpse, and its windows."""
    size = min(num_images, run.data.num_examples["test"])
    batch = collect_batch(run.model, run.data.test, size)
    log_probs, windows = run.model.look_in_glimpses({"x": tf.constant(batch["x"])})
    return batch, log_probs.numpy(), windows


def with_windows(images: np.ndarray, windows: attention.Window | None, size: int) -> np.ndarray:
    """Enlarges images and draws windows on them.

    Args:
      images: [..., height, width, 1 or 3], pixels in [0, 1].
      windows: [...] each; None for none.
      size: filters along a side of the window.

    Returns:
      The pictures in colour, [..., height, width, 3], larger by a whole factor.
    """
    factor = -(-_SMALLEST_SIDE // min(images.shape[-3:-1]))
    images = np.clip(images, 0, 1).repeat(3 // images.shape[-1], axis=-1)
    pictures = images.repeat(factor, axis=-3).repeat(factor, axis=-2)
    if windows is None:
        return pictures
    told = [np.asarray(value) for value in attention.corners(windows, size)]
    for place in np.ndindex(*images.shape[:-3]):
        top, left, side, deviation = (float(value[place]) for value in told)
        # The middle of pixel 0 is half a pixel inside the picture.
        box = [factor * (corner + 0.5) for corner in (left, top, left + side, top + side)]
        limit = 10.0 * max(pictures.shape[-3:-1])  # drawing far outside takes time, and shows none
        box = np.clip(box, -limit, limit).tolist()
        picture = Image.fromarray(np.uint8(255 * pictures[place]))
        width = int(np.clip(round(factor * deviation / 2), 1, factor))
        colour = tuple(int(255 * level) for level in RED)
        ImageDraw.Draw(picture).rectangle(box, outline=colour, width=width)
        pictures[place] = np.asarray(picture) / 255
    return pictures


def _check_glimpses(run):
    if not defines(run.model, "draw_in_glimpses"):
        raise UsageError(f"model must be one that draws in glimpses; that of {run.label} is not.")


def _in_two_rows(images):
    """[2, C, ...] of images [N, ...], or one row of an odd number."""
    return images.reshape(2 - len(images) % 2, -1, *images.shape[1:])
