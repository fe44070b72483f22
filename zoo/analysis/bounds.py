"""Bounds and log-likelihoods of runs against a number that their configs say."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def bounds_against(rows: Sequence[tuple], xlabel: str, upper: str) -> Figure:
    """Draws two scores of each kind of run against a number, joined where runs of a kind differ.

    A run of the number 0 belongs to every kind that has no such run of its own.

    Args:
      rows: kind, number, bound and what the bound is below, of each run; runs of one kind with the
        same number are averaged.
      xlabel: what the number is.
      upper: what the bound is below, in words.

    Returns:
      The picture: full lines are bounds, dashed ones what they are below.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    kinds = list(dict.fromkeys(row[0] for row in rows if row[1])) or [rows[0][0]]
    for index, kind in enumerate(kinds):
        own = [row for row in rows if row[0] == kind]
        if all(row[1] for row in own):
            own += [row for row in rows if not row[1] and row[0] not in kinds]
        here = np.array([row[1:4] for row in own], float)
        unique = np.unique(here[:, 0])
        for column, style, label in ((1, ".-", kind), (2, ".--", None)):
            means = [here[here[:, 0] == k, column].mean() for k in unique]
            axes.plot(unique, means, style, color=f"C{index}", label=label)
    axes.set(xlabel=xlabel, ylabel=f"bound (full) and {upper} (dashed), nats per image")
    axes.legend()
    return figure
