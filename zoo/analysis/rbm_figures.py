"""RBMs as priors and as posteriors: modes, and errors of log Z (Vahdat et al. 2020, 4.1.1)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import samplers
from zoo.analysis import rbms
from zoo.analysis.pictures import panels_in_a_row
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect


class _Part(NamedTuple):
    """RBMs of a run: its prior, or the posteriors of its test images."""

    name: str  # "prior" or "posterior"
    rbm: samplers.RBM


_COLORS = {"prior": "C0", "posterior": "C1"}
_STYLES = {"zero": "--", "bias": "-", "spin": ":"}  # of curves, by where annealing starts


@register_figure
def rbm_modes(
    runs: Sequence[Run],
    *,
    num_images: int = 100,
    num_draws: int = 500,
    num_increments: int = 500,
    tolerance: float = 0.01,
    seed: int = 0,
) -> Plot:
    """How many modes priors and posteriors have that are RBMs, and how far from factorial they are.

    After section 4.1.1 of Vahdat et al. (2020). A mode is a fixed point of mean field from a draw
    of the RBM. Left the shares of the prior's draws that end in each of its modes; in the middle
    the numbers of modes of the posteriors of test images; and right KL(mean field || posterior), in
    the mode where it is least. Those are of models whose posteriors are RBMs, too. The table has a
    row for each RBM.

    Args:
      runs: of models with an RBM as their prior.
      num_images: the first so many test images, or all where there are fewer.
      num_draws: of every RBM.
      num_increments: annealing steps of a draw.
      tolerance: fixed points whose means differ by no more are one mode.
      seed: int, also of the binarisation.

    Returns:
      The picture, and its table.

    Raises:
      UsageError: for runs of other models.
    """
    check_count(num_images=num_images)
    found, rows = {}, []
    for run, parts in _parts(runs, num_images, seed):
        for part in parts:
            modes = rbms.mean_field_modes(
                part.rbm,
                num_draws=num_draws,
                num_increments=num_increments,
                tolerance=tolerance,
                jit_compile=run.model.compile_chains,
                seed=samplers.fold_in(seed, part.name),
            )
            found[run.label, part.name] = modes
            rows += [
                (
                    *(run.label, part.name, k if part.name == "posterior" else ""),
                    *(len(m.shares), m.shares[0], m.kl.min(), m.stderr),
                )
                for k, m in enumerate(modes)
            ]

    posteriors = {label: modes for (label, name), modes in found.items() if name == "posterior"}
    num_panels = 3 if posteriors else 1
    figure, panels = panels_in_a_row(num_panels, 5, 4.2)
    shares = {run.label: found[run.label, "prior"][0].shares for run in runs}
    colors = {label: f"C{k}" for k, label in enumerate(shares)}
    labels = {label: f"{label}: {_counted(len(s), 'mode')}" for label, s in shares.items()}
    _draw_bars(panels[0], shares, colors, labels)
    panels[0].set(title="prior", xlabel="mode", ylabel="share of draws")
    if posteriors:
        _draw_posteriors(*panels[1:], posteriors, colors)
    for axes in panels:  # below, where nothing is drawn
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))
    columns = ("run", "rbm", "image", "num_modes", "largest_share", "kl", "stderr")
    return Plot(figure, columns, rows)


def _draw_posteriors(left, right, posteriors, colors):
    """The numbers of modes, and histograms of the least KL."""
    shares, labels, kl = {}, {}, {}
    for label, modes in posteriors.items():
        shares[label] = np.bincount([len(m.shares) for m in modes])[1:] / len(modes)
        labels[label] = f"{label}: {shares[label][0]:.0%} have a single mode"
        kl[label] = [m.kl.min() for m in modes]
    _draw_bars(left, shares, colors, labels)
    left.set(title="posteriors", xlabel="number of modes", ylabel="share of images")
    edges = np.histogram_bin_edges(np.concatenate(list(kl.values())), 20)
    for label, values in kl.items():
        right.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            color=colors[label],
            alpha=0.6,
            label=f"{label}: median {np.median(values):.2g} nats",
        )
    right.set(title="posteriors", xlabel="KL(mean field || posterior), nats")


def _draw_bars(axes, shares, colors, labels):
    """Bars at 1, 2, ..., those of the runs side by side."""
    width = 0.8 / len(shares)
    for k, (label, heights) in enumerate(shares.items()):
        places = np.arange(1, len(heights) + 1) + (k - (len(shares) - 1) / 2) * width
        axes.bar(places, heights, width, color=colors[label], label=labels[label])
    axes.set_xlim(0.4, max(map(len, shares.values())) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


@register_figure
def rbm_log_normalizer_error(
    runs: Sequence[Run],
    *,
    num_images: int = 5,
    num_temperatures: Sequence[int] = tuple(2**k for k in range(11)),
    num_chains: int = 200,
    num_repeats: int = 20,
    num_reference: int = 2**14,
    seed: int = 0,
) -> Plot:
    """How many temperatures log Z takes: the error of annealing against their number.

    As figure 4 of Vahdat et al. (2020). Above the mean of |log Z_T - log Z|, below the standard
    deviation of log Z_T, over repeated estimates, both averaged over images where they are of
    posteriors. Annealing starts from uniform units ("zero") or from the biases alone, of bits
    ("bias") or of spins ("spin"). The truth is enumerated where a side has at most 16 units, else
    annealed with `num_reference` temperatures.

    Args:
      runs: of models with an RBM as their prior; posteriors are drawn where they are RBMs, too.
      num_images: the first so many test images, or all where there are fewer.
      num_temperatures: numbers T of annealing steps, each with one Gibbs sweep.
      num_chains: of an estimate, the log of their mean weight.
      num_repeats: independent estimates, at least two.
      num_reference: annealing steps where log Z is not enumerated.
      seed: int, also of the binarisation.

    Returns:
      The picture, and its table.

    Raises:
      UsageError: for runs of other models.
    """
    check_count(num_images=num_images, num_repeats=num_repeats)
    if num_repeats < 2:
        raise UsageError(f"num_repeats must be at least 2; it was {num_repeats}.")
    figure = Figure(figsize=(5.5 * len(runs), 7), layout="constrained")
    panels = figure.subplots(2, len(runs), sharex=True, sharey="row", squeeze=False)
    rows = []
    for (run, parts), (above, below) in zip(_parts(runs, num_images, seed), panels.T, strict=True):
        for part in parts:
            settings = {
                "num_chains": num_chains,
                "num_repeats": num_repeats,
                "jit_compile": run.model.compile_chains,
            }
            reference, source = rbms.reference_log_normalizer(
                part.rbm,
                num_increments=num_reference,
                seed=samplers.fold_in(seed, part.name, "reference"),
                **settings,
            )
            for start, style in _STYLES.items():
                estimates = rbms.log_normalizer_estimates(
                    part.rbm,
                    num_temperatures,
                    start=start,
                    seed=samplers.fold_in(seed, part.name, start),
                    **settings,
                )
                errors = abs(estimates - reference).mean((1, 2)).tolist()
                stddevs = estimates.std(1, ddof=1).mean(1).tolist()
                told = (run.label, part.name, start, source)
                table = zip(num_temperatures, errors, stddevs, strict=True)
                rows += [(*told, *row) for row in table]
                curve = {
                    "color": _COLORS[part.name],
                    "linestyle": style,
                    "marker": "o",
                    "label": f"{part.name}, {start} start",
                }
                for axes, values in ((above, errors), (below, stddevs)):
                    axes.loglog(num_temperatures, values, **curve)
        below.axhline(0.01, color="black", linewidth=0.8, linestyle=":")
        above.set(title=run.label)
        above.legend()
        below.set(xlabel="temperatures T")
    panels[0, 0].set_ylabel("mean error of log Z, nats")
    panels[1, 0].set_ylabel("standard deviation of log Z, nats")
    columns = ("run", "rbm", "start", "reference", "num_temperatures", "error", "stddev")
    return Plot(figure, columns, rows)


def _parts(runs, num_images, seed) -> list[tuple[Run, list[_Part]]]:
    """The RBMs of every run, once all are known to have some."""
    priors = [_Part("prior", rbms.prior_rbm(run.model)) for run in runs]
    return [
        (run, [prior, *_posteriors(run, num_images, seed)])
        for run, prior in zip(runs, priors, strict=True)
    ]


def _posteriors(run, num_images, seed):
    if not rbms.has_posterior_rbms(run.model):
        return []
    test = run.data.test.unbatch().take(num_images).batch(100)
    x = collect(run.model, test)
    return [_Part("posterior", rbms.posterior_rbms(run.model, x, seed))]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
