"""What steps and layers buy: errors of reconstructions (Nijkamp et al. 2020, table 3)."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from zoo.analysis.comparison import scored_images
from zoo.analysis.log_likelihood_by_num_steps import num_steps_of
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError
from zoo.core.registry import get_method


@register_figure
def reconstruction_by_num_steps(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What steps of the chain buy: mean squared error of test reconstructions against their number.

    As table 3b of Nijkamp et al. (2020), of Langevin steps. Each point is a run, as
    `scripts/train.py` scored it; the line joins the means of a method's runs with the same number,
    which is 0 without a chain. Pixels in [0, 1]; on the right, and in the table's last column, the
    paper's scale of [-1, 1], four times as much.

    Args:
      runs: runs that were scored on the same images.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each run.

    Raises:
      UsageError: for runs that were not scored, or on other images.
    """
    moving = [get_method(run.config.model.name) for run in runs if num_steps_of(run)]
    langevin = {defines(method, "langevin") for method in moving}
    label = {(True,): "Langevin steps K", (False,): "transitions M"}.get(tuple(langevin))
    return _reconstruction(runs, num_steps_of, "num_steps", label or "steps of the chain")


@register_figure
def reconstruction_by_num_layers(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What layers buy: mean squared error of test reconstructions against their number L.

    As `reconstruction_by_num_steps`, and table 3a of Nijkamp et al. (2020).

    Args:
      runs: runs that were scored on the same images.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each run.

    Raises:
      UsageError: for runs that were not scored, or on other images, or of models without layers.
    """
    return _reconstruction(runs, _num_layers, "num_layers", "layers of latents L")


def _num_layers(run):
    if not defines(run.model, "layer_sizes"):
        raise UsageError(f"model must have layers of latents; that of {run.label} has none.")
    return len(run.model.layer_sizes)


def _reconstruction(runs, count: Callable[[Run], int], column: str, label: str) -> Plot:
    rows, first = [], None
    for run in runs:
        images = scored_images(run)
        first = first or images
        if images != first:
            raise UsageError(
                f"workdir: all runs must be scored on the same images; {runs[0].label} was on "
                f"{first} and {run.label} on {images}."
            )
        mse = run.evaluation[0]["reconstruction_mse"]
        rows.append((run.workdir, run.config.model.name, count(run), mse, 4 * mse))

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
