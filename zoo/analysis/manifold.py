"""A map of two latents."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoo.analysis.pictures import check_image_model, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.scores.standard_normal import num_latents, prior_quantiles


@register_figure
def manifold(runs: Sequence[Run], *, side: int = 20, y: int | None = None, seed: int = 0) -> Plot:
    """What two latents mean: expected images on a grid of the prior's quantiles.

    z_0 grows to the right and z_1 upwards (Kingma and Welling 2014, figure 4). With a class these
    are its styles (Kingma et al. 2014, figure 1a). The table has the latents of every image.

    Args:
      runs: of models of images with two latents and the prior N(0, I).
      side: quantiles of each latent, the midpoints of so many equal shares of the prior.
      y: the class of all images, of models of classes and styles; None for no class.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each image.

    Raises:
      UsageError: for another number of latents, or a class that a model has not.
    """
    check_count(side=side)
    quantiles = prior_quantiles(side)
    z_1, z_0 = np.meshgrid(quantiles[::-1], quantiles, indexing="ij")
    z = tf.constant(np.stack([z_0, z_1], axis=-1), tf.float32)
    figure, panels = panels_in_a_row(len(runs), 5, 5.2)
    rows = []
    for run, axes in zip(runs, panels, strict=True):
        check_image_model(run.model)
        if (size := num_latents(run.model)) != 2:
            raise UsageError(
                f"model must have 2 latents for a map of them; {run.label} has {size}."
            )
        show_grid(axes, _expected(run, z, y).numpy())
        axes.set(title=run.label, xlabel="quantile of z_0", ylabel="quantile of z_1")
        rows += [
            (run.label, row, column, *z[row, column].numpy().tolist())
            for row, column in np.ndindex(side, side)
        ]
    return Plot(figure, ("model", "row", "column", "z_0", "z_1"), rows)


def _expected(run, z, y):
    if y is None:
        return run.model.expected(z)
    if not defines(run.model, "likelihood_given"):
        raise UsageError(f"y must be left out: {run.label} is no model of classes and styles.")
    run.model.sample_fields["y"].check("y", y)
    return run.model.likelihood_given(z, tf.constant(y)).mean()
