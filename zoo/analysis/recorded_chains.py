"""Figures of methods that learn through a chain: its states, what it buys, what it learned."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import samplers
from zoo.analysis.bounds import bounds_against
from zoo.analysis.comparison import check_scored_alike
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect
from zoo.scores.standard_normal import num_latents

_GRID = 80  # points of each axis on which a posterior is drawn


@register_figure
def trajectories(
    runs: Sequence[Run], *, num_images: int = 3, num_chains: int = 12, seed: int = 0
) -> Plot:
    """Chains z_0 ... z_T of two latents, over the posterior p(z given x) of each test image.

    Open circles are draws of q(z given x), full ones the ends. The table has every state.

    Args:
      runs: of methods that learn through a chain, with two latents.
      num_images: columns, the first test images.
      num_chains: of each image.
      seed: of the chains, and of the binarisation of grey levels.

    Returns:
      The picture, and a table with a row for each state.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_images=num_images, num_chains=num_chains)
    figure = Figure(figsize=(3.2 * num_images, 3.2 * len(runs)), layout="constrained")
    panels = figure.subplots(len(runs), num_images, squeeze=False)
    rows = []
    for run, row in zip(runs, panels, strict=True):
        model = run.model
        _check_learns_through_a_chain(run, "states")
        if (size := num_latents(model)) != 2:
            raise UsageError(f"model must have 2 latents for trajectories; {run.label} has {size}.")
        x = tf.constant(collect(model, run.data.test, num_images))
        batch = model.preprocess({"x": x}, samplers.as_seed(seed))
        states = model.states(batch, num_chains, samplers.as_seed(seed)).numpy()
        for i, axes in enumerate(row):
            here = states[:, :, i]  # [T + 1, S, 2]
            _show_posterior(axes, model, {"x": batch["x"][i : i + 1]}, here)
            for path in np.swapaxes(here, 0, 1):
                axes.plot(*path.T, ".-", color="C1", linewidth=0.8, markersize=2)
            axes.plot(*here[0].T, "o", color="C1", markerfacecolor="none", markersize=4)
            axes.plot(*here[-1].T, "o", color="C3", markersize=4)
            axes.set(title=f"{run.label}, image {i}", xlabel="z_0", ylabel="z_1")
            rows += [
                (run.label, i, chain, step, *map(float, here[step, chain]))
                for chain in range(num_chains)
                for step in range(len(here))
            ]
    return Plot(figure, ("model", "image", "chain", "step", "z_0", "z_1"), rows)


def _show_posterior(axes, model, batch, states):
    """Contours of p(z given x) where it has its mass and where the states are."""
    coarse = np.linspace(-4, 4, _GRID)
    z, density = _density(model, batch, coarse, coarse)
    mass = density / density.sum()
    mean = (mass[..., None] * z).sum((0, 1))
    spread = np.sqrt((mass[..., None] * (z - mean) ** 2).sum((0, 1))).max()
    low = np.minimum(mean - 3 * spread, states.min((0, 1)))
    high = np.maximum(mean + 3 * spread, states.max((0, 1)))
    fine = np.linspace(low, high, _GRID) + 0.05 * np.linspace(low - high, high - low, _GRID)
    z, density = _density(model, batch, *fine.T)
    axes.contour(z[..., 0], z[..., 1], density, 8, colors="0.6", linewidths=0.7)


def _density(model, batch, z_0, z_1):
    """A grid [n, n, 2] of latents, and p(z, x) there over its largest value."""
    z = np.stack(np.meshgrid(z_0, z_1), axis=-1)
    log_joint = model.log_joint(batch, tf.constant(z.reshape(-1, 1, 2), model.dtype))
    log_joint = log_joint.numpy().astype(np.float64).reshape(z.shape[:2])
    return z, np.exp(log_joint - log_joint.max())


@register_figure
def bound_by_num_leapfrog_steps(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What leapfrog steps of HVI buy: the bound and its importance estimate of log p(x), in nats.

    Kinds are fully connected and convolutional networks, and those without an inference network; a
    VAE is 0 steps of its kind (Salimans, Kingma and Welling 2015, table 1). Each point is a run.

    Args:
      runs: runs that were scored on the same images by the same protocol.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each run.

    Raises:
      UsageError: for runs of other methods, or that were not scored, or not alike.
    """
    check_scored_alike(runs, seeds=False)
    rows = []
    for run in runs:
        figures, _ = run.evaluation
        model = run.config.model
        if model.name not in ("HVI", "VAE"):
            raise UsageError(
                f"workdir: runs must be of HVI or VAE; {run.workdir!r} is of {model.name}."
            )
        kind = "convolutional" if model.get("blocks") == "convolution" else "fully connected"
        kind += "" if model.get("inference_network", True) else ", without inference network"
        num_steps = model.get("num_leapfrog_steps", 0) * model.get("num_transitions", 1)
        names = ("bound", "importance_weighted_bound", "log_likelihood", "log_likelihood_stderr")
        rows.append((run.workdir, kind, num_steps, *(figures[name] for name in names)))
    drawn, upper = [row[1:5] for row in rows], "importance estimate"
    figure = bounds_against(drawn, "leapfrog steps", upper, zero_is_of_all=False)
    columns = ("workdir", "networks", "num_leapfrog_steps", "bound", "importance_weighted_bound")
    return Plot(figure, (*columns, "log_likelihood", "stderr"), rows)


@register_figure
def learned_temperatures(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """The inverse temperatures b_t of annealed chains that are recorded, against t / T.

    Args:
      runs: of methods that learn through an annealed chain.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each inverse temperature.

    Raises:
      UsageError: for other models.
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes, rows = figure.subplots(), []
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for run in runs:
        _check_learns_through_a_chain(run, "schedule")
        betas = [0.0, *run.model.schedule.numpy().astype(float).tolist()]
        betas += [1.0] * (betas[-1] < 1 - 1e-6)  # where weights end, without a step there
        axes.plot(np.linspace(0, 1, len(betas)), betas, ".-", label=run.label)
        rows += [(run.label, t, beta) for t, beta in enumerate(betas)]
    axes.set(xlabel="t / T", ylabel="inverse temperature b_t")
    axes.legend()
    return Plot(figure, ("model", "t", "inverse_temperature"), rows)


def _check_learns_through_a_chain(run, name):
    if not defines(run.model, name):
        kinds = "zoo.HVI or zoo.UHA" if name == "states" else "zoo.UHA or zoo.LMCVAE"
        raise UsageError(f"model must be one such as {kinds}; {run.label} is another.")
