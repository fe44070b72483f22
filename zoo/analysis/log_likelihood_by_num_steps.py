"""Log-likelihood against the length of the chain that a model is trained by."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.analysis.comparison import check_scored_alike
from zoo.analysis.registry import Plot, Run, register_figure


@register_figure
def log_likelihood_by_num_steps(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What transitions of the chain buy: log-likelihood in nats per image against their number M.

    A VAE is M = 0 (Hoffman 2017). Each point is a run, with the standard error over its test
    images, as `scripts/train.py` or `scripts/evaluate.py` left them; the line joins the means of
    the runs with the same M.

    Args:
      runs: runs that were scored on the same images by the same protocol.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each run.

    Raises:
      UsageError: for runs that were not scored, or not alike.
    """
    check_scored_alike(runs, seeds=False)
    rows = []
    for run in runs:
        figures, _ = run.evaluation
        score = figures["log_likelihood"], figures["log_likelihood_stderr"]
        rows.append((run.workdir, num_steps_of(run), *score))

    num_steps, values, stderrs = np.array([row[1:] for row in rows], float).T
    unique = np.unique(num_steps)
    means = [values[num_steps == m].mean() for m in unique]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(num_steps, values, stderrs, fmt="o", capsize=3)
    axes.plot(unique, means, color="C0", alpha=0.6)
    axes.set(xlabel="transitions M", ylabel="log-likelihood, nats per image", xticks=unique)
    return Plot(figure, ("workdir", "num_steps", "log_likelihood", "stderr"), rows)


def num_steps_of(run: Run) -> int:
    """Returns the number of steps of a run's chain, as its config says; 0 without a chain."""
    return run.config.model.get("num_steps", 0)
