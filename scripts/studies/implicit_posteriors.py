"""The toy of Ding and Freedman (2020), figure 1: what importance sampling and annealing draw."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import samplers
from zoo.analysis.registry import Plot, register_figure
from zoo.core.checks import UsageError, check_count, check_positive

_SETTINGS = ("num_leapfrog_steps", "num_samples", "num_increments")
_MOMENTS = ("mean_1", "mean_2", "variance", "covariance")
_NUM_SHOWN = 1000  # more points would hide each other


@register_figure
def implicit_posteriors(
    *,
    settings: Sequence[tuple[int, int, int]] = ((5, 1, 1), (5, 1, 10), (5, 5, 10), (5, 10, 10)),
    correlation: float = 0.9,
    num_draws: int = 4000,
    step_size: float = 0.35,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """How near to a posterior weighted samples come at equal cost, without and with annealing.

    The posterior is a Gaussian of two latents with unit variances; the proposal is the independent
    Gaussian q that minimises KL(q || p), whose variances are 1 - correlation^2. The paper (Ding and
    Freedman 2020, figure 1) does not tell its correlation legibly: 0.9 is ours. A point is a draw
    of an implicit posterior, that is one of K chains, picked by weight. Above q_IS, where chains
    are draws of q; below q_AIS, which anneals them in T linear increments, with a Hamiltonian move
    of L leapfrog steps after each.

    A column has one cost, counted as in the paper: q_IS has as many chains as q_AIS takes leapfrog
    steps, L K T. So K chains of q_IS cost K evaluations of the density, and a leapfrog step of
    q_AIS, one gradient, counts as one of them. Numbers, there and in the table, are moments of the
    draws with standard errors, the variance averaged over the two latents; the first 1000 draws
    are shown. In the table q_IS has L = 0 and T = 1.

    Args:
      settings: (L, K, T) of q_AIS in every column.
      correlation: of the posterior, in (-1, 1).
      num_draws: draws of each implicit posterior, at least 2.
      step_size: of the Hamiltonian moves, in standard deviations of the posterior.
      jit_compile: whether XLA compiles the draws.
      seed: int.

    Returns:
      The picture, and its table.

    Raises:
      UsageError: for an argument out of its range.
    """
    check_count(num_draws=num_draws)
    if num_draws < 2:
        raise UsageError("num_draws must be at least 2; it was 1.")
    check_positive(step_size=step_size)
    if not -1 < correlation < 1:
        raise UsageError(f"correlation must lie between -1 and 1; it was {correlation!r}.")
    rivals = [_Sampler(*setting) for setting in settings]
    for rival in rivals:
        check_count(**rival._asdict())
    compared = [_Sampler(0, rival.cost, 1) for rival in rivals] + rivals

    @tf.function(jit_compile=jit_compile, autograph=False)
    def draw_all(seed):
        return [
            _draw(sampler, num_draws, correlation, step_size, samplers.fold_in(seed, k))
            for k, sampler in enumerate(compared)
        ]

    figure = Figure(figsize=(2.2 * len(rivals) + 0.5, 6.1), layout="constrained")
    panels = figure.subplots(2, len(rivals), sharex=True, sharey=True, squeeze=False)
    rows = []
    for axes, sampler, z in zip(
        panels.ravel(), compared, draw_all(samplers.as_seed(seed)), strict=True
    ):
        moments = _moments(z.numpy())
        rows.append((sampler.method, *sampler, sampler.cost, *moments.ravel().tolist()))
        _show(axes, z.numpy()[:_NUM_SHOWN], correlation)
        text = "variance {:.3f} ± {:.3f}\ncovariance {:.3f} ± {:.3f}".format(*moments[2:].ravel())
        axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize="small")
        axes.set_title(sampler.title, fontsize="medium")
    for axes in panels[-1]:
        axes.set_xlabel("z_1")
    for axes in panels[:, 0]:
        axes.set_ylabel("z_2")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    named = [column for name in _MOMENTS for column in (name, f"{name}_stderr")]
    return Plot(figure, ("method", *_SETTINGS, "cost", *named), rows)


class _Sampler(NamedTuple):
    """An implicit posterior: q_AIS, or q_IS if its chains make no leapfrog steps."""

    num_leapfrog_steps: int
    num_samples: int
    num_increments: int

    @property
    def method(self):
        return "AIS" if self.num_leapfrog_steps else "IS"

    @property
    def cost(self):
        return max(self.num_leapfrog_steps, 1) * self.num_samples * self.num_increments

    @property
    def title(self):
        settings = "L = {}, K = {}, T = {}".format(*self)
        if self.method == "IS":
            settings = f"K = {self.num_samples}"
        return f"{self.method}, cost {self.cost}\n{settings}"


def _draw(sampler, num_draws, correlation, step_size, seed):
    """Draws of an implicit posterior, [num_draws, 2]."""
    variance = 1 - correlation**2

    # Both up to their normalisers, which are the same for all chains.
    def proposal(z):
        return -tf.reduce_sum(tf.square(z), -1) / (2 * variance)

    def posterior(z):
        return proposal(z) + correlation * z[..., 0] * z[..., 1] / variance

    shape = [sampler.num_samples, num_draws, 2]
    return samplers.implicit_posterior(
        proposal,
        posterior,
        variance**0.5 * samplers.normal(shape, samplers.fold_in(seed, "initial")),
        samplers.linear_schedule(sampler.num_increments),
        move=samplers.hamiltonian_move(sampler.num_leapfrog_steps),
        step_size=step_size,
        last_move=sampler.num_leapfrog_steps > 0,
        seed=samplers.fold_in(seed, "draw"),
    )


def _moments(z):
    """The moments in _MOMENTS, each with its standard error: [4, 2]."""
    z = z.astype(np.float64)
    centred = z - z.mean(0)
    # One number per draw and moment: their means are the moments.
    terms = np.column_stack([z, np.square(centred).mean(1), centred.prod(1)])
    return np.stack([terms.mean(0), terms.std(0, ddof=1) / np.sqrt(len(z))], axis=1)


def _show(axes, z, correlation):
    """Draws, over ellipses of the posterior and the proposal."""
    axes.plot(*z.T, ".", color="C0", markersize=3, alpha=0.4, markeredgewidth=0)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    ellipse = np.linalg.cholesky([[1, correlation], [correlation, 1]]) @ circle
    label = f"posterior, 1 and 2 standard deviations: variance 1, covariance {correlation:g}"
    axes.plot(*ellipse, color="black", linewidth=0.8, label=label)
    axes.plot(*2 * ellipse, color="black", linewidth=0.8)
    proposal = 2 * np.sqrt(1 - correlation**2) * circle
    axes.plot(*proposal, "--", color="C1", linewidth=1.2, label="proposal, 2 standard deviations")
    axes.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
