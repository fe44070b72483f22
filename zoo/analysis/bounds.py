"""Bounds and log-likelihoods of runs against a number that their configs say."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def bounds_against(
    rows: Sequence[tuple], xlabel: str, upper: str, *, zero_is_of_all: bool
) -> Figure:
    """Draws two scores of each kind of run against a number; lines join the means of each kind.

    Args:
      rows: kind, number, bound and what the bound is below, of each run; runs of one kind with the
        same number are averaged.
      xlabel: what the number is.
      upper: what the bound is below, in words.
      zero_is_of_all: whether runs of the number 0 belong to every other kind, and are none.

    Returns:
      The picture: full lines are bounds, dashed ones what they are below.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    kinds = list(dict.fromkeys(row[0] for row in rows if row[1] or not zero_is_of_all))
    for index, kind in enumerate(kinds or [rows[0][0]]):
        own = [r for r in rows if r[0] == kind or (zero_is_of_all and not r[1])]
        here = np.array([row[1:4] for row in own], float)
        unique = np.unique(here[:, 0])
        for column, style, label in ((1, ".-", kind), (2, ".--", None)):
            means = [here[here[:, 0] == k, column].mean() for k in unique]
            axes.plot(unique, means, style, color=f"C{index}", label=label)
    axes.set(xlabel=xlabel, ylabel=f"bound (full) and {upper} (dashed), nats per image")
    axes.legend()
    return figure
