"""How the step size of short-run chains is learned (Nijkamp et al. 2020, figure 6)."""

import csv
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

import samplers
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count, check_positive
from zoo.parts.step_size_search import METHODS, StepSizeSearch, get_step_size_search
from zoo.scores.chunks import collect

# What is drawn of a step size objective: its colour.
_CURVES = {"conditional": "C0", "lanczos": "C2", "marginal": "C1", "mse": "C3"}
_LABELS = {"lanczos": "conditional, Lanczos"}


@register_figure
def step_size_trajectories(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """How step sizes were learned: the mean one of every epoch, a panel per way of searching.

    As figure 6a, b of Nijkamp et al. (2020). The step size is the standard deviation of a step's
    noise; of models with one for each step, their mean.

    Args:
      runs: of models whose `step_size_search` is not fixed.
      seed: unused, as nothing here is random.

    Returns:
      The picture, and a table with a row for each epoch of each run.

    Raises:
      UsageError: for runs that did not learn a step size, or left no metrics.csv.
    """
    rows, found = [], {}
    for run in runs:
        search = get_step_size_search(dict(run.config.model.get("step_size_search") or {}))
        if search.method == "fixed":
            raise UsageError(f"model must learn its step size; that of {run.label} is fixed.")
        epochs, sizes = _read_step_sizes(run)
        found.setdefault(search.method, []).append((run.label, epochs, sizes))
        told = (run.label, search.method, search.entropy)
        rows += [(*told, *pair) for pair in zip(epochs, sizes, strict=True)]

    figure = Figure(figsize=(4.5 * len(found), 3.8), layout="constrained")
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for method, axes in zip([m for m in METHODS if m in found], panels, strict=True):
        for label, epochs, sizes in found[method]:
            axes.plot(epochs, sizes, label=label)
        axes.set(title=method, xlabel="epochs")
        axes.legend()
    panels[0].set_ylim(bottom=0)  # when all is drawn: it ends the scaling of both panels
    panels[0].set_ylabel("step size, standard deviation of the noise")
    return Plot(figure, ("run", "method", "entropy", "epoch", "step_size"), rows)


def _read_step_sizes(run) -> tuple[list[int], list[float]]:
    """Epochs, from 1 on, and their step sizes."""
    try:
        with (pathlib.Path(run.workdir) / "metrics.csv").open(newline="") as file:
            pairs = [
                (int(row["epoch"]) + 1, float(row["step_size"])) for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"workdir: {run.workdir!r} has no metrics.csv with step sizes: {error}."
        ) from None
    return [epoch for epoch, _ in pairs], [size for _, size in pairs]


@register_figure
def step_size_objective(
    runs: Sequence[Run],
    *,
    num_images: int = 100,
    grid: Sequence[float] = tuple(i / 100 for i in range(1, 21)),
    num_chains: int = 64,
    lanczos: bool = False,
    seed: int = 0,
) -> Plot:
    """What the search for a step size sees: its objectives, and the error, against the step size.

    As figure 6c of Nijkamp et al. (2020), of fitted models: all step sizes, standard deviations of
    a step's noise, are tried on the same model at the same noise. Above the objectives of
    `StepSizeSearch`, in nats per image, both above minus log p(x) on average: the
    marginal one for any step size, the conditional one as long as no step folds the space. What
    is far above is cut off. Below the mean squared error of the reconstructions that the chain's
    end gives, pixels in [0, 1]. A dot is a curve's least value.

    Black lines are the step size that the model was trained with, the mean one of several, and
    where a step folds the space: s^2 / 2 times the largest eigenvalue of minus the Hessian of
    log p(x, z), at the end of a chain of that step size, is 1, for the first image and for half of
    them. At sqrt(2) times that the chain of a Gaussian diverges. Standard errors in the table are
    over images; that of Lanczos is of its difference from the exact objective.

    Args:
      runs: of models whose latents a Langevin chain from the prior infers, such as `ShortRun`; of
        `ABP` the chains are as fresh as those that its search looks at.
      num_images: the first so many test images.
      grid: step sizes.
      num_chains: of an image, for the marginal entropy.
      lanczos: whether the Lanczos estimate of the conditional entropy is drawn, too.
      seed: int.

    Returns:
      The picture, and a table with a row for each step size of each run.

    Raises:
      UsageError: for runs of other methods.
    """
    check_count(num_images=num_images)
    for size in grid:
        check_positive(grid=size)
    for run in runs:
        if not defines(run.model, "langevin"):
            raise UsageError(
                "model must infer its latents by a Langevin chain, as zoo.ShortRun; that of "
                f"{run.label} does not."
            )
    searches = {
        "conditional": StepSizeSearch(),
        "lanczos": StepSizeSearch(log_det="lanczos"),
        "marginal": StepSizeSearch(entropy="marginal", num_chains=num_chains),
    }
    if not lanczos:
        del searches["lanczos"]
    figure = Figure(figsize=(5.5 * len(runs), 8), layout="constrained")
    panels = figure.subplots(2, len(runs), sharex=True, sharey="row", squeeze=False)
    rows, drawn = [], []
    for run, (above, below) in zip(runs, panels.T, strict=True):
        x = collect(run.model, run.data.test, num_images)
        values = _along_grid(run.model, x, grid, searches, seed)
        curvatures = _curvatures(run.model, x, seed)
        trained = float(np.mean(run.model.step_size))
        folds = np.sqrt(2 / np.array([curvatures.max(), np.median(curvatures)])).tolist()
        means = {name: value.mean(1) for name, value in values.items()}
        if lanczos:
            values["lanczos"] = values["lanczos"] - values["conditional"]
        stderrs = {name: samplers.standard_error(v, axis=1) for name, v in values.items()}
        columns = [column for name in values for column in (means[name], stderrs[name])]
        rows += [(run.label, trained, *folds, *row) for row in zip(grid, *columns, strict=True)]
        for name, mean in means.items():
            axes = below if name == "mse" else above
            _draw_curve(axes, grid, mean, _LABELS.get(name, name), _CURVES[name])
        lines = {
            f"trained with {trained:.3g}": (trained, "--"),
            f"first image folds: {folds[0]:.3g}": (folds[0], ":"),
            f"half of them: {folds[1]:.3g}": (folds[1], "-."),
        }
        for axes in (above, below):
            for label, (place, style) in lines.items():
                axes.axvline(place, color="black", linewidth=1, linestyle=style, label=label)
            axes.set_xlim(0, max(grid) * 1.03)
        above.set(title=run.label)
        # What both panels show, below them, where no curve is.
        legends = [axes.get_legend_handles_labels() for axes in (above, below)]
        handles, labels = (curves + error[:1] for curves, error in zip(*legends, strict=True))
        below.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        below.set(xlabel="step size, standard deviation of the noise", yscale="log")
        drawn += [mean for name, mean in means.items() if name != "mse"]
    drawn = np.ma.masked_invalid(drawn).compressed()
    lowest, highest = drawn.min(), np.quantile(drawn, 0.8)
    panels[0, 0].set_ylim(lowest - 0.1 * (highest - lowest), highest)
    panels[0, 0].set_ylabel("objective, nats per image")
    panels[1, 0].set_ylabel("mean squared error, pixels in [0, 1]")
    panels[1, 0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[1, 0].yaxis.set_major_formatter("{x:g}")
    panels[1, 0].yaxis.set_minor_locator(NullLocator())
    named = [column for name in means for column in (name, f"{name}_stderr")]
    folds = ("first_fold", "median_fold")
    return Plot(figure, ("run", "trained_with", *folds, "step_size", *named), rows)


def _along_grid(model, x, grid, searches, seed) -> dict[str, np.ndarray]:
    """Every objective, and the squared error, at each step size for each image: [G, B]."""
    batch = model.preprocess({"x": tf.constant(x)}, samplers.fold_in(seed, "observe"))
    event_axes = tf.range(1, len(model.fields["x"].shape) + 1)

    def mse(size):
        z = _chain(model, batch, size, seed)
        return tf.reduce_mean(tf.square(model.expected(z)[0] - x), event_axes)

    def mapped(function):
        @tf.function(jit_compile=model.compile_chains, autograph=False)
        def run(sizes):
            return tf.map_fn(function, sizes, parallel_iterations=1)

        return run(tf.constant(grid, model.dtype)).numpy().astype(np.float64)

    values = {
        name: mapped(lambda size, s=search: s.objective(model, batch, size, seed))
        for name, search in searches.items()
    }
    return values | {"mse": mapped(mse)}


def _chain(model, batch, step_size, seed):
    """The chain of `StepSizeSearch.objective`, one for each image: [1, B, K]."""
    start = model.prior.sample([1, tf.shape(batch["x"])[0]], samplers.fold_in(seed, "prior"))
    return samplers.langevin(
        lambda z: model.log_joint(batch, z),
        start,
        num_steps=model.num_steps,
        step_size=step_size,
        seed=samplers.fold_in(seed, "langevin"),
    )


def _curvatures(model, x, seed) -> np.ndarray:
    """The largest eigenvalue of minus the Hessian of log p(x, z) at each chain's end, [B]."""
    batch = model.preprocess({"x": tf.constant(x)}, samplers.fold_in(seed, "observe"))

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(step_size):
        z = _chain(model, batch, step_size, seed)
        return samplers.hessian(lambda z: model.log_joint(batch, z), z)[0]

    hessians = run(tf.convert_to_tensor(model.step_size)).numpy().astype(np.float64)
    return -np.linalg.eigvalsh(hessians)[:, 0]


def _draw_curve(axes, grid, mean, label, color):
    least = np.argmin(np.where(np.isfinite(mean), mean, np.inf))
    axes.plot(grid, mean, color=color, label=f"{label}: least at {grid[least]:g}")
    axes.plot(grid[least], mean[least], "o", color=color)
