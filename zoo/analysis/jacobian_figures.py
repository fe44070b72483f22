"""Figures of the directions that a decoder uses: the Jacobian's spectrum, and what they show."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.analysis import jacobians
from zoo.analysis.pictures import check_image_model, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.scores.standard_normal import num_latents


@register_figure
def jacobian_spectrum(runs: Sequence[Run], *, num_draws: int = 1000, seed: int = 0) -> Plot:
    """How many directions of its latents each model uses: singular values of its Jacobian.

    Left those of the mean Jacobian of the expected image (Hoffman 2017), right the square roots of
    the eigenvalues of the mean of J^T J, in which opposite signs do not cancel. A steep fall means
    that few directions matter. In pixels in [0, 1] per unit of z.

    Args:
      runs: of models whose prior is N(0, I).
      num_draws: draws of the prior that are averaged over.
      seed: int.

    Returns:
      The picture, and a table with a row for each singular value of each run.

    Raises:
      UsageError: for models with another prior.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rows = []
    for run in runs:
        found = jacobians.spectrum(jacobians.jacobian(run.model, num_draws=num_draws, seed=seed))
        pairs = list(zip(found.singular_values, found.rms_singular_values, strict=True))
        rows += [(run.label, k, *pair) for k, pair in enumerate(pairs, 1)]
        index = range(1, len(pairs) + 1)
        left.semilogy(index, found.singular_values, marker=".", label=run.label)
        right.semilogy(index, found.rms_singular_values, marker=".", label=run.label)
    left.set(title="mean Jacobian", xlabel="index", ylabel="singular value")
    right.set(title="root mean square Jacobian", xlabel="index")
    left.legend()
    return Plot(figure, ("model", "index", "singular_value", "rms_singular_value"), rows)


@register_figure
def leading_directions(
    runs: Sequence[Run],
    *,
    num_draws: int = 50,
    num_averaged: int = 200,
    num_shown: int = 8,
    seed: int = 0,
) -> Plot:
    """What a model's leading directions show: images with all other directions averaged out.

    A row per draw of the prior; from left to right more of the leading right singular vectors of
    the mean Jacobian are kept, in the last column all of them (Hoffman 2017). The table has the
    squared distance from the image in the last column, averaged over draws and pixels in [0, 1].

    Args:
      runs: of models of images whose prior is N(0, I).
      num_draws: draws of the prior that the distance is averaged over.
      num_averaged: values of the other directions that each image is averaged over.
      num_shown: draws that are shown.
      seed: int.

    Returns:
      The picture, and a table with a row for each number of directions of each run.

    Raises:
      UsageError: for models with another prior, or not of images.
    """
    figure, panels = panels_in_a_row(len(runs), 4.5, 5)
    rows = []
    for run, axes in zip(runs, panels, strict=True):
        check_image_model(run.model)
        num_kept = _doubling(num_latents(run.model))
        rotation = jacobians.spectrum(jacobians.jacobian(run.model, seed=seed)).rotation
        images = jacobians.leading_directions(
            run.model,
            rotation,
            num_kept,
            num_draws=num_draws,
            num_averaged=num_averaged,
            seed=seed,
        )
        distances = np.square(images - images[:, -1:]).mean(axis=(0, 2, 3, 4)).tolist()
        rows += [(run.label, *pair) for pair in zip(num_kept, distances, strict=True)]
        show_grid(axes, images[:num_shown], num_kept)
        axes.set(title=run.label, xlabel="directions kept")
    return Plot(figure, ("model", "num_directions", "mean_squared_distance"), rows)


def _doubling(size: int) -> list[int]:
    """0, 1, 2, 4, ... and `size`."""
    powers = [2**k for k in range(size.bit_length()) if 2**k < size]
    return [0, *powers, size]
