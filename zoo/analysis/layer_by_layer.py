"""What each layer of latents shows (Nijkamp et al. 2020, section 5.6)."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import layers
import samplers
from zoo.analysis.pictures import check_image_model, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count


@register_figure
def layer_by_layer(
    runs: Sequence[Run],
    *,
    num_columns: int = 10,
    num_rows: int = 3,
    num_draws: int = 1000,
    seed: int = 0,
) -> Plot:
    """What each layer of latents shows: images when one layer is resampled and the rest stay.

    As figure 5 of Nijkamp et al. (2020), a block per layer, the top one first. A row is a draw of
    all layers, whose image stands left, the same in all blocks; then come images with fresh noise
    e_l of that layer alone. Where layers are independent ("hierarchical") that is its z_l; else
    z_l = mu_l + sigma_l e_l, so that those below follow it.

    The table, and titles, have the mean squared change that fresh noise of a layer makes to the
    expected image, pixels in [0, 1], with its standard error over draws; and that of fresh noise
    of all layers, "all".

    Args:
      runs: of models of images whose decoders have several layers of latents.
      num_columns: fresh draws of the layer in a row.
      num_rows: draws that are shown of each layer.
      num_draws: draws that the change is averaged over.
      seed: int.

    Returns:
      The picture, and a table with a row for each layer, and for all of them, of each run.

    Raises:
      UsageError: for models whose decoders have not several layers.
    """
    check_count(num_columns=num_columns, num_rows=num_rows, num_draws=num_draws)
    for run in runs:
        check_image_model(run.model)
        if not defines(run.model, "decode") or len(layers.latent_dims(run.model.decoder)) < 2:
            raise UsageError(
                f"model must have several layers of latents; that of {run.label} has not."
            )
    most = max(len(layers.latent_dims(run.model.decoder)) for run in runs)
    size = (0.5 * (num_columns + 2) * len(runs), (0.5 * num_rows + 0.4) * most)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(most, len(runs), squeeze=False)
    rows = []
    for run, column in zip(runs, panels.T, strict=True):
        sizes = layers.latent_dims(run.model.decoder)
        for k, axes in enumerate(column):
            if k >= len(sizes):
                axes.set_axis_off()
                continue
            change, stderr = _change(run.model, [k], num_draws, seed)
            rows.append((run.label, len(sizes) - k, sizes[k], change, stderr))
            show_grid(axes, _block(run.model, k, num_rows, num_columns, seed))
            where = {0: "top", len(sizes) - 1: "bottom"}.get(k, "middle")
            title = f"{where}, {sizes[k]} latents: change {change:.4f} ± {stderr:.4f}"
            axes.set_title(f"{run.label}, {title}" if k == 0 else title, fontsize="medium")
        change = _change(run.model, range(len(sizes)), num_draws, seed)
        rows.append((run.label, "all", sum(sizes), *change))
    return Plot(figure, ("run", "layer", "num_latents", "mean_squared_change", "stderr"), rows)


def _block(model, layer, num_rows, num_columns, seed) -> np.ndarray:
    """Rows of an image, a gap and what fresh noise of a layer makes of the image, framed white."""
    kept = _noise(model, [num_rows, 1], seed, "kept")
    fresh = _noise(model, [num_rows, num_columns], seed, "fresh")
    images = _images(model, tf.concat([kept, _replaced(model, kept, fresh, [layer])], 1))
    images = np.insert(images, 1, 1.0, axis=1)
    frame = [(max(1, side // 16),) * 2 for side in images.shape[2:4]]
    return np.pad(images, [(0, 0), (0, 0), *frame, (0, 0)], constant_values=1.0)


def _change(model, chosen, num_draws, seed) -> tuple[float, float]:
    """The mean squared change that fresh noise of some layers makes, and its standard error."""
    kept = _noise(model, [num_draws], seed, "kept, averaged")
    fresh = _noise(model, [num_draws], seed, "fresh, averaged")
    images = _images(model, tf.stack([kept, _replaced(model, kept, fresh, chosen)]))
    changes = np.square(images[0] - images[1]).mean(axis=(1, 2, 3), dtype=np.float64)
    return float(changes.mean()), float(samplers.standard_error(changes))


def _noise(model, shape, seed, role):
    return samplers.normal([*shape, model.decoder.input_shape[-1]], samplers.fold_in(seed, role))


def _replaced(model, kept, fresh, chosen):
    """Noise that is `fresh` in the chosen layers, counted from the top, and `kept` elsewhere."""
    sizes = layers.latent_dims(model.decoder)
    mask = np.repeat([k in chosen for k in range(len(sizes))], sizes)
    return tf.where(mask, fresh, kept)


def _images(model, noise) -> np.ndarray:
    """Expected images of noise [..., K]; also of models whose chains move latents instead."""
    return model.observation_model.distribution(layers.fold(model.decoder, noise)).mean().numpy()
