"""Component collapse: what an encoder and a decoder make of each latent."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect_batch, preprocessed
from zoo.scores.standard_normal import num_latents


@register_figure
def component_collapse(runs: Sequence[Run], *, num_images: int = 1000, seed: int = 0) -> Plot:
    """How many latents do anything: KL(q || prior), the encoder's variance, the decoder's weights.

    For each latent, sorted by its KL, on test images: the mean of KL(q(z_k given x) || N(0, 1)) in
    nats, the mean variance of q(z_k given x), and the norm of those weights of the decoder's first
    layer that see z_k (through the shear, where there is one). A latent that has collapsed has a
    KL of 0, a variance of 1, and weights near 0.

    Args:
      runs: of models with the prior N(0, I), an encoder and a decoder.
      num_images: the first so many test images, or all where there are fewer.
      seed: int, of the binarisation.

    Returns:
      The picture, and a table with a row for each latent of each run.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_images=num_images)
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    rows = []
    for run in runs:
        size = num_latents(run.model)
        if not (defines(run.model, "posterior_distribution") and defines(run.model, "decode")):
            raise UsageError(f"model must have an encoder and a decoder; {run.label} has not.")
        mean, stddev = _moments(run, num_images, seed)
        variance = stddev**2
        kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).mean(0)
        found = np.stack([kl, variance.mean(0), _weight_norms(run.model, size)])
        order = np.argsort(-kl)
        for panel, values in zip(panels, found, strict=True):
            panel.plot(np.arange(size), values[order], "o-", markersize=3, label=run.label)
        rows += [(run.label, int(unit), *found[:, unit].tolist()) for unit in range(size)]
    titles = ("KL to the prior, nats", "variance of the encoder", "norm of the decoder's weights")
    for panel, title in zip(panels, titles, strict=True):
        panel.set(title=title, xlabel="latents, by their KL", ylim=(0, None))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].legend()
    return Plot(figure, ("model", "latent", "kl", "variance", "weight_norm"), rows)


def _moments(run, num_images, seed):
    """Means and deviations of q(z given x), [N, K] each."""
    size = min(num_images, run.data.num_examples["test"])
    batch = preprocessed(run.model, collect_batch(run.model, run.data.test, size), seed)
    q = run.model.posterior_distribution({k: tf.constant(v) for k, v in batch.items()})
    return q.mean().numpy(), q.stddev().numpy()


def _weight_norms(model, size):
    kernel = next(v for v in model.decoder.trainable_variables if "kernel" in v.path).numpy()
    rows = kernel[:size].reshape(size, -1)  # behind them may stand those of classes
    if getattr(model, "shear", None) is not None:
        rows = np.asarray(model.shear(tf.eye(size, dtype=rows.dtype))) @ rows
    return np.linalg.norm(rows, axis=1)
