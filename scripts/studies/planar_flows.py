"""Flows as posteriors of two latents: four energies, and how near to a posterior they come."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import samplers
from zoo.analysis.registry import Plot, register_figure
from zoo.core.checks import UsageError, check_choice, check_count, check_counts, check_positive
from zoo.parts.flow_posteriors import FlowPosterior
from zoo.parts.posteriors import get_posterior

_REACH = 4.0  # of the pictures, and of grids


def _w_1(z):
    return tf.sin(2 * math.pi * z[..., 0] / 4)


def _square(value, scale):
    return 0.5 * tf.square(value / scale)


def _either(*energies):
    return -tf.reduce_logsumexp([-energy for energy in energies], 0)


def _ring(z):
    sides = (_square(z[..., 0] - 2, 0.6), _square(z[..., 0] + 2, 0.6))
    return _square(tf.norm(z, axis=-1) - 2, 0.4) + _either(*sides)


def _wave(z):
    return _square(z[..., 1] - _w_1(z), 0.4)


def _split_wave(z):
    w_2 = 3 * tf.exp(-_square(z[..., 0] - 1, 0.6))
    distance = z[..., 1] - _w_1(z)
    return _either(_square(distance, 0.35), _square(distance + w_2, 0.35))


def _forked_wave(z):
    w_3 = 3 * tf.sigmoid((z[..., 0] - 1) / 0.3)
    distance = z[..., 1] - _w_1(z)
    return _either(_square(distance, 0.4), _square(distance + w_3, 0.35))


# U_1 to U_4 of Rezende and Mohamed (2015), table 1.
ENERGIES = {"U_1": _ring, "U_2": _wave, "U_3": _split_wave, "U_4": _forked_wave}


def log_target(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """-U, with walls: U_2 to U_4 do not fall off along z_1, so that they are no densities.

    Args:
      name: of `ENERGIES`.

    Returns:
      A log density in nats up to its normaliser, of z [..., 2].
    """

    def log_density(z):
        outside = tf.nn.relu(tf.abs(z) - _REACH)
        return -ENERGIES[name](z) - tf.reduce_sum(_square(outside, 0.1), -1)

    return log_density


def crescent(z: tf.Tensor) -> tf.Tensor:
    """log p(x, z) of two latents, z ~ N(0, I), x ~ N(z_1 + z_2^2, 0.4^2), at x = 2."""
    mean = z[..., 0] + tf.square(z[..., 1])
    return -0.5 * tf.reduce_sum(tf.square(z), -1) - _square(2 - mean, 0.4)


class Fitted(NamedTuple):
    """A posterior that was fitted to one target.

    Attributes:
      posterior: the part.
      features: what an encoder would give, [1, F].
      kl: KL(q || target) in nats, an average over draws.
      stderr: its standard error.
    """

    posterior: FlowPosterior
    features: tf.Tensor
    kl: float
    stderr: float


def fit(
    posterior: dict,
    log_density: Callable[[tf.Tensor], tf.Tensor],
    *,
    learn_base: bool,
    num_steps: int,
    num_samples: int = 100,
    learning_rate: float = 0.01,
    jit_compile: bool = True,
    seed: int = 0,
) -> Fitted:
    """Fits a posterior of two latents to a target by KL(q || target), which is annealed.

    Args:
      posterior: as `get_posterior` takes it.
      log_density: of the target, nats, up to its normaliser, which is found by quadrature.
      learn_base: whether mean and deviation of the flows' start are learned; else it is N(0, I).
      num_steps: of Adam, whose rate falls to 0; in the first half the weight beta of the target
        grows from 0.01 to 1 (Rezende and Mohamed 2015, eq. 20).
      num_samples: draws of a step.
      learning_rate: at the start.
      jit_compile: whether XLA compiles a step.
      seed: int.

    Returns:
      The posterior, and how far from the target it is.
    """
    part = get_posterior(posterior, seed=seed)
    start = part.start_features(2)
    encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(len(start))])
    part.check_encoder(encoder, 2)
    start[:4] = 0.0
    features = tf.Variable(start[None].astype("f"))
    variables = [*([features] if learn_base else []), *part.trainable_variables]
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(variables)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(k):
        with tf.GradientTape() as tape:
            z, log_q, _ = part.propose(features, num_samples, samplers.fold_in(seed, k))
            beta = tf.minimum(1.0, 0.01 + 2 * tf.cast(k, tf.float32) / num_steps)
            kl = tf.reduce_mean(log_q - beta * log_density(z))
        optimizer.apply(tape.gradient(kl, variables), variables)

    for k in range(num_steps if variables else 0):
        step(tf.constant(k))
    z, log_q, _ = part.propose(features, 20_000, samplers.fold_in(seed, "kl"))
    found = (log_q - log_density(z)).numpy()[:, 0].astype(np.float64)
    kl = found.mean() + log_normalizer(log_density)
    stderr = float(samplers.standard_error(found))
    return Fitted(part, tf.convert_to_tensor(features), float(kl), stderr)


def log_normalizer(log_density: Callable[[tf.Tensor], tf.Tensor], num: int = 600) -> float:
    """The log of a density's integral over two latents, by a grid from -6 to 6, in nats."""
    grid, volume = _grid(num, 6.0)
    log_values = log_density(tf.constant(grid)).numpy().astype(np.float64)
    return float(np.log(np.exp(log_values).sum() * volume))


@register_figure
def planar_flows(
    *,
    num_flows: Sequence[int] = (2, 8, 32),
    num_steps: int = 10_000,
    learning_rate: float = 0.01,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """How near planar flows come to four energies, from a spherical Gaussian.

    The energies are those of Rezende and Mohamed (2015), table 1 and figure 3; a column has one of
    them, the first row the target, the others draws of as many flows. Numbers, there and in the
    table, are KL(q || target) in nats, with the target normalised by quadrature.

    Args:
      num_flows: k, of each row.
      num_steps: of Adam.
      learning_rate: at the start.
      jit_compile: whether XLA compiles them.
      seed: int.

    Returns:
      The picture, and a table with a row for each panel.

    Raises:
      UsageError: for an argument out of its range.
    """
    check_counts(num_flows=num_flows)
    check_count(num_steps=num_steps)
    check_positive(learning_rate=learning_rate)
    size = 1 + len(num_flows)
    figure = Figure(figsize=(2.2 * len(ENERGIES), 2.3 * size), layout="constrained")
    panels = figure.subplots(size, len(ENERGIES), squeeze=False)
    grid, _ = _grid(200, _REACH)
    rows = []
    for column, name in enumerate(ENERGIES):
        target = log_target(name)
        density = np.exp(target(tf.constant(grid)).numpy())
        _show(panels[0, column], density, name)
        for row, k in enumerate(num_flows, 1):
            fitted = fit(
                {"name": "planar", "num_flows": k},
                target,
                learn_base=False,
                num_steps=num_steps,
                learning_rate=learning_rate,
                jit_compile=jit_compile,
                seed=seed,
            )
            z = fitted.posterior.propose(fitted.features, 200_000, seed).z.numpy()[:, 0]
            edges = np.linspace(-_REACH, _REACH, 101)
            counts = np.histogram2d(z[:, 0], z[:, 1], [edges, edges])[0]
            _show(panels[row, column], counts, f"k = {k}, KL {fitted.kl:.3f}")
            rows.append((name, k, fitted.kl, fitted.stderr))
    return Plot(figure, ("energy", "num_flows", "kl", "stderr"), rows)


KINDS = {
    "planar": {"name": "planar"},
    "NICE, permutation": {"name": "nice"},
    "NICE, orthogonal": {"name": "nice", "mixing": "orthogonal"},
    "IAF": {"name": "iaf", "hidden": (64,), "context_dim": 0},
}


@register_figure
def flow_length(
    *,
    kinds: Sequence[str] = tuple(KINDS),
    num_flows: Sequence[int] = (0, 1, 2, 4, 8, 16),
    num_steps: int = 5_000,
    learning_rate: float = 0.01,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """How far posteriors of more and more flows are from the true one, on a model of two latents.

    z ~ N(0, I), x ~ N(z_1 + z_2^2, 0.4^2) and x = 2, so that p(z given x) is a crescent; it is
    normalised by quadrature. k = 0 is the mean-field posterior.

    Args:
      kinds: of flows.
      num_flows: k.
      num_steps: of Adam.
      learning_rate: at the start.
      jit_compile: whether XLA compiles them.
      seed: int.

    Returns:
      The picture, and a table with a row for each point.

    Raises:
      UsageError: for an argument out of its range.
    """
    for kind in kinds:
        check_choice("kinds", kind, KINDS)
    check_counts(num_flows=[k for k in _listed(num_flows) if k])
    check_count(num_steps=num_steps)
    check_positive(learning_rate=learning_rate)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes, rows = figure.subplots(), []
    for kind in kinds:
        found = [
            fit(
                KINDS[kind] | {"num_flows": k},
                crescent,
                learn_base=True,
                num_steps=num_steps,
                learning_rate=learning_rate,
                jit_compile=jit_compile,
                seed=seed,
            )
            for k in num_flows
        ]
        kls, errors = [f.kl for f in found], [f.stderr for f in found]
        axes.errorbar(num_flows, kls, errors, fmt="o-", capsize=3, label=kind)
        rows += [(kind, k, f.kl, f.stderr) for k, f in zip(num_flows, found, strict=True)]
    axes.set(xlabel="flows k", ylabel="KL(q || posterior), nats")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.legend()
    return Plot(figure, ("flows", "num_flows", "kl", "stderr"), rows)


def _listed(num_flows):
    if not isinstance(num_flows, list | tuple):
        raise UsageError(f"num_flows must be a list of whole numbers; it was {num_flows!r}.")
    return num_flows


def _grid(num, reach):
    """Midpoints of a square grid, [num, num, 2], and the area of a cell."""
    axis = reach * (2 * (np.arange(num) + 0.5) / num - 1)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).astype("f")
    return grid, (2 * reach / num) ** 2


def _show(axes, density, title):
    """A density over z_1 and z_2, [n, n]."""
    ends = [-_REACH, _REACH] * 2
    axes.imshow(density.T, origin="lower", extent=ends, cmap="viridis", interpolation="nearest")
    axes.set_title(title, fontsize="medium")
    axes.set(xticks=[], yticks=[])
