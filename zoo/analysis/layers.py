"""What layers and steps buy, and what each layer shows (Nijkamp et al. 2020, 5.4 and 5.6)."""

import inspect
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

import layers
import samplers
from zoo.analysis.figures import Plot, Run, register_figure
from zoo.analysis.images import check_image_model, show_grid
from zoo.analysis.num_steps import _num_steps
from zoo.core.checks import UsageError, check_count
from zoo.core.registry import get_method


@register_figure
def reconstruction_by_num_steps(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What Langevin steps buy: mean squared error of test reconstructions against their number K.

    As table 3b of Nijkamp et al. (2020). Each point is a run, as `scripts/train.py` scored it; the
    line joins the means of a method's runs with the same K, which is 0 without a chain. Pixels in
    [0, 1]; on the right, and in the table's last column, the paper's scale of [-1, 1], four times
    as much.

    Args:
      runs: scored on the same images.
      seed: unused, as nothing here is random.

    Raises:
      UsageError: for runs that were not scored, or on other images.
    """
    return _reconstruction(runs, _num_steps, "num_steps", "Langevin steps K")


@register_figure
def reconstruction_by_num_layers(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What layers buy: mean squared error of test reconstructions against their number L.

    As `reconstruction_by_num_steps`, and table 3a of Nijkamp et al. (2020).

    Args:
      runs: scored on the same images.
      seed: unused, as nothing here is random.

    Raises:
      UsageError: for runs that were not scored, or on other images.
    """
    return _reconstruction(runs, _num_layers, "num_layers", "layers of latents L")


def _reconstruction(runs, count: Callable, column: str, label: str) -> Plot:
    rows, scored = [], None
    for run in runs:
        scores, _ = run.evaluation
        data = run.config.data.to_dict()
        images = {k: v for k, v in data.items() if k not in ("batch_size", "data_dir")}
        images["num_images"] = scores["num_images"]
        scored = scored or images
        if images != scored:
            raise UsageError(
                f"workdir: all runs must be scored on the same images; {runs[0].label} was on "
                f"{scored} and {run.label} on {images}."
            )
        mse = scores["reconstruction_mse"]
        rows.append((run.workdir, run.config.model.name, count(run.config.model), mse, 4 * mse))

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    methods = np.array([row[1] for row in rows])
    counts, values = np.array([row[2:4] for row in rows]).T
    for method in dict.fromkeys(methods):
        here = methods == method
        unique = np.unique(counts[here])
        (line,) = axes.plot(counts[here], values[here], "o", alpha=0.5)
        means = [values[here & (counts == n)].mean() for n in unique]
        axes.plot(unique, means, ".-", color=line.get_color(), label=method)
    if counts.max() > 10 * max(counts.min(), 1):
        axes.set_xscale("symlog", base=2, linthresh=max(counts[counts > 0].min(), 1))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=label, ylabel="mean squared error, pixels in [0, 1]", xticks=np.unique(counts))
    axes.set_ylim(bottom=0)
    right = axes.secondary_yaxis("right", functions=(lambda y: 4 * y, lambda y: y / 4))
    right.set_ylabel("pixels in [-1, 1]")
    axes.legend()
    return Plot(figure, ("workdir", "method", column, "mse", "mse_in_minus_one_to_one"), rows)


def _num_layers(model_config) -> int:
    """L of a run: as its config says, else the method's default; a second one of a VAE counts."""
    if "latent_dims" in model_config:
        return len(model_config.latent_dims)
    for method in get_method(model_config.name).__mro__:
        for_data = vars(method).get("for_data")
        parameters = inspect.signature(for_data.__func__).parameters if for_data else {}
        if "latent_dims" in parameters:
            return len(parameters["latent_dims"].default)
    return 2 if model_config.get("upper_latent_dim") else 1


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
      runs: models of images whose decoders have several layers of latents.
      num_columns: fresh draws of the layer in a row.
      num_rows: draws that are shown of each layer.
      num_draws: draws that the change is averaged over.
      seed: int.

    Raises:
      UsageError: for decoders with one layer.
    """
    check_count(num_columns=num_columns, num_rows=num_rows, num_draws=num_draws)
    for run in runs:
        check_image_model(run.model)
        if len(layers.latent_dims(run.model.decoder)) < 2:
            raise UsageError(
                f"model must have several layers of latents; that of {run.label} has one."
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
    return float(changes.mean()), float(changes.std(ddof=1) / num_draws**0.5)


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
