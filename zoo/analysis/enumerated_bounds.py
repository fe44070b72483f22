"""What small discrete VAEs are worth, exactly."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import samplers
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.scores.enumeration import enumerate_latents


@register_figure
def enumerated_bounds(runs: Sequence[Run], *, num_images: int | None = None, seed: int = 0) -> Plot:
    """Exact -log p(x) of models with few binary latents, and how far their bounds are off.

    A bar is -log p(x), and above it KL(q(z given x) || p(z given x)), so that its top is minus the
    one-sample bound. The table also has KL(q(z given x) || p(z)), the number of states that p(z
    given x) spreads over, and the difference in log p(x) from the first run, paired by image.
    Standard errors are over images.

    Args:
      runs: of models as `zoo.scores.enumerate_latents` takes.
      num_images: the first so many test images; all by default.
      seed: of the binarisation.

    Returns:
      The picture, and a table with a row for each run.

    Raises:
      UsageError: for other models.
    """
    found = [
        enumerate_latents(run.model, run.data.test, num_images=num_images, seed=seed)
        for run in runs
    ]
    rows = []
    for run, values in zip(runs, found, strict=True):
        gain = values.log_likelihood - found[0].log_likelihood
        told = [(v.mean(), samplers.standard_error(v)) for v in (*values, gain)]
        rows.append((run.label, *(float(number) for pair in told for number in pair)))
    figure = Figure(figsize=(1.5 + 1.2 * len(runs), 4), layout="constrained")
    axes = figure.subplots()
    labels = [run.label for run in runs]
    surprise = np.array([-values.log_likelihood.mean() for values in found])
    gap = np.array([values.kl.mean() for values in found])
    errors = [samplers.standard_error(values.log_likelihood) for values in found]
    axes.bar(labels, surprise, yerr=errors, capsize=4, label="-log p(x)")
    axes.bar(labels, gap, bottom=surprise, label="KL(q || p(z given x))")
    axes.set(ylabel="nats per image", ylim=(0.9 * surprise.min(), 1.05 * (surprise + gap).max()))
    axes.tick_params(axis="x", rotation=30)
    axes.legend(loc="lower right")
    names = ("log_likelihood", "kl", "prior_kl", "num_states", "gain")
    return Plot(figure, ("run", *(c for n in names for c in (n, f"{n}_stderr"))), rows)
