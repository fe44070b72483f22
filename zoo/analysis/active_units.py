"""Active units: how many latents each model uses."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo import scores
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.checks import check_count

_THRESHOLD = 0.01
_FLOOR = 1e-6  # an axis of logarithms has no place for less


@register_figure
def active_units(
    runs: Sequence[Run],
    *,
    num_images: int = 1000,
    num_chains: int = 4,
    num_draws: int = 100,
    seed: int = 0,
) -> Plot:
    """How many latents each model uses: variances over images of their posterior means.

    A unit is active if its variance is above 0.01 (Burda et al. 2016, section 5). Dashed that of
    the encoder's means, solid that of the means of long HMC chains, each sorted for itself; the
    legend counts the active units. What is below 1e-6 is drawn there; the table has it as it is,
    by the unit's own number, from 0. On the test images of every run.

    Args:
      runs: of models with an encoder.
      num_images: the first so many test images, or all where there are fewer.
      num_chains: chains of every image, an even number.
      num_draws: draws of every chain.
      seed: int, also of the binarisation.

    Returns:
      The picture, and a table with a row for each unit of each run.

    Raises:
      UsageError: for models without an encoder, or an argument out of its range.
    """
    check_count(num_images=num_images)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    rows = []
    for k, run in enumerate(runs):
        found = scores.active_units(
            run.model,
            run.data.test.unbatch().take(num_images).batch(100),
            num_chains=num_chains,
            num_draws=num_draws,
            threshold=_THRESHOLD,
            seed=seed,
        )
        pairs = np.stack([found.encoder_variance, found.hmc_variance], axis=1).tolist()
        rows += [(run.label, unit, *pair) for unit, pair in enumerate(pairs)]
        for name, style, variance, count in (
            ("encoder", "--", found.encoder_variance, found.num_active_encoder),
            ("HMC", "-", found.hmc_variance, found.num_active_hmc),
        ):
            axes.semilogy(
                range(1, len(variance) + 1),
                np.maximum(np.sort(variance)[::-1], _FLOOR),
                linestyle=style,
                color=f"C{k}",
                label=f"{run.label}, {name}: {count} of {len(variance)}",
            )
    axes.axhline(_THRESHOLD, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="unit, by falling variance", ylabel="variance of the posterior mean")
    axes.legend(title="active units")
    return Plot(figure, ("run", "unit", "encoder_variance", "hmc_variance"), rows)
