"""Figures of short-run chains (Nijkamp et al. 2020): their step size, their steps, their layers."""

import csv
import inspect
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

import samplers
from zoo import experiment, outputs
from zoo.checks import UsageError, check_count, check_positive
from zoo.evaluation.chunks import collect
from zoo.evaluation.figures.num_steps import _num_steps
from zoo.evaluation.figures.registry import Plot, Run, register_figure
from zoo.registry import get_method
from zoo.step_size import METHODS, StepSizeSearch, get_step_size_search

# What is drawn of a step size objective: its colour.
_CURVES = {"conditional": "C0", "lanczos": "C2", "marginal": "C1", "mse": "C3"}
_LABELS = {"lanczos": "conditional, Lanczos"}


@register_figure
def reconstruction_by_num_steps(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What Langevin steps buy: mean squared error of test reconstructions against their number K.

    As table 3b of Nijkamp et al. (2020). Each point is a run, as `scripts/train.py` scored it; the
    line joins the means of a method's runs with the same K, which is 0 without a chain. Pixels in
    [0, 1]; on the right, and in the table's last column, the paper's scale of [-1, 1], four times
    as much.

    Args:
      runs: scored on the same images.
      seed: unused, as nothing here is random.

    Raises:
      UsageError: for runs that were not scored, or on other images.
    """
    return _reconstruction(runs, _num_steps, "num_steps", "Langevin steps K")


@register_figure
def reconstruction_by_num_layers(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What layers buy: mean squared error of test reconstructions against their number L.

    As `reconstruction_by_num_steps`, and table 3a of Nijkamp et al. (2020).

    Args:
      runs: scored on the same images.
      seed: unused, as nothing here is random.

    Raises:
      UsageError: for runs that were not scored, or on other images.
    """
    return _reconstruction(runs, _num_layers, "num_layers", "layers of latents L")


def _reconstruction(runs, count: Callable, column: str, label: str) -> Plot:
    rows, scored = [], None
    for run in runs:
        scores, _ = outputs.read_log_likelihood(run.workdir)
        data = run.config.data.to_dict()
        images = {k: v for k, v in data.items() if k not in ("batch_size", "data_dir")}
        images["num_images"] = scores["num_images"]
        scored = scored or images
        if images != scored:
            raise UsageError(
                f"workdir: all runs must be scored on the same images; {runs[0].label} was on "
                f"{scored} and {run.label} on {images}."
            )
        mse = scores["reconstruction_mse"]
        rows.append((run.workdir, run.config.model.name, count(run.config.model), mse, 4 * mse))

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
    right = axes.secondary_yaxis("right", functions=(lambda y: 4 * y, lambda y: y / 4))
    right.set_ylabel("pixels in [-1, 1]")
    axes.legend()
    return Plot(figure, ("workdir", "method", column, "mse", "mse_in_minus_one_to_one"), rows)


def _num_layers(model_config) -> int:
    """L of a run: as its config says, else the method's default; a second one of a VAE counts."""
    if "latent_dims" in model_config:
        return len(model_config.latent_dims)
    for method in get_method(model_config.name).__mro__:
        for_data = vars(method).get("for_data")
        parameters = inspect.signature(for_data.__func__).parameters if for_data else {}
        if "latent_dims" in parameters:
            return len(parameters["latent_dims"].default)
    return 2 if model_config.get("upper_latent_dim") else 1


@register_figure
def step_size_trajectories(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """How step sizes were learned: the mean one of every epoch, a panel per way of searching.

    As figure 6a, b of Nijkamp et al. (2020). The step size is the standard deviation of a step's
    noise; of models with one for each step, their mean.

    Args:
      runs: of models with a `step_size_search`.
      seed: unused, as nothing here is random.

    Raises:
      UsageError: for runs that did not learn a step size, or left no metrics.csv.
    """
    rows, found = [], {}
    for run in runs:
        search = run.config.model.get("step_size_search")
        if search is None:
            raise UsageError(f"model must have a step_size_search; that of {run.label} has none.")
        search = get_step_size_search(search.to_dict())
        epochs, sizes = _read_step_sizes(run)
        found.setdefault(search.method, []).append((run.label, epochs, sizes))
        told = (run.label, search.method, search.entropy)
        rows += [(*told, *pair) for pair in zip(epochs, sizes, strict=True)]

    figure = Figure(figsize=(4.5 * len(found), 3.8), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for method, axes in zip([m for m in METHODS if m in found], panels, strict=True):
        for label, epochs, sizes in found[method]:
            axes.plot(epochs, sizes, label=label)
        axes.set(title=method, xlabel="epochs")
        axes.set_ylim(bottom=0)
        axes.legend()
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
    lanczos: bool = True,
    seed: int = 0,
) -> Plot:
    """What the search for a step size sees: its objectives, and the error, against the step size.

    As figure 6c of Nijkamp et al. (2020), of fitted models: all step sizes, standard deviations of
    a step's noise, are tried on the same model at the same noise. Above the objectives of
    `zoo.step_size.StepSizeSearch`, in nats per image: upper bounds on minus log p(x), as long as
    no step folds the space. Below the mean squared error of the reconstructions that the chain's
    end gives, pixels in [0, 1]. A dot is a curve's least value.

    Dashed black the step size that the model was trained with. Dotted where a step begins to fold
    the space: s^2 / 2 times the largest eigenvalue of minus the Hessian of log p(x, z), at the end
    of a chain of that model, is 1, for half of the images and for the first of them; the chain of
    a Gaussian diverges at sqrt(2) times that. Standard errors in the table are over images; that
    of Lanczos is of its difference from the exact objective.

    Args:
      runs: of `ShortRun`, trained.
      num_images: the first so many test images.
      grid: step sizes.
      num_chains: of an image, for the marginal entropy.
      lanczos: whether the Lanczos estimate of the conditional entropy is drawn, too.
      seed: int.

    Raises:
      UsageError: for runs of other methods.
    """
    check_count(num_images=num_images)
    for size in grid:
        check_positive(grid=size)
    for run in runs:
        if run.config.model.name != "ShortRun":
            raise UsageError(f"model must be a ShortRun; {run.label} is a {run.config.model.name}.")
    searches = {
        "conditional": StepSizeSearch(),
        "lanczos": StepSizeSearch(log_det="lanczos"),
        "marginal": StepSizeSearch(entropy="marginal", num_chains=num_chains),
    }
    if not lanczos:
        del searches["lanczos"]
    figure = Figure(figsize=(5.5 * len(runs), 7), layout="constrained")
    panels = figure.subplots(2, len(runs), sharex=True, sharey="row", squeeze=False)
    rows = []
    for run, (above, below) in zip(runs, panels.T, strict=True):
        x = collect(run.model, experiment.load_data(run.config).test, num_images)
        values = _along_grid(run.model, x, grid, searches, seed)
        curvatures = _curvatures(run.model, x, seed)
        trained = float(np.mean(run.model.step_size))
        edges = np.sqrt(2 / np.array([np.median(curvatures), curvatures.max()]))
        means = {name: value.mean(1) for name, value in values.items()}
        if lanczos:
            values["lanczos"] = values["lanczos"] - values["conditional"]
        stderrs = {name: v.std(1, ddof=1) / len(x) ** 0.5 for name, v in values.items()}
        columns = [column for name in values for column in (means[name], stderrs[name])]
        rows += [(run.label, trained, *edges, *row) for row in zip(grid, *columns, strict=True)]
        for name, mean in means.items():
            axes = below if name == "mse" else above
            _draw_curve(axes, grid, mean, _LABELS.get(name, name), _CURVES[name])
        for axes in (above, below):
            axes.axvline(trained, color="black", linestyle="--", linewidth=1)
            for edge in edges[np.isfinite(edges)]:
                axes.axvline(edge, color="black", linestyle=":", linewidth=1)
            axes.set_xlim(0, max(grid) * 1.03)
            axes.legend()
        above.set(title=run.label)
        below.set(xlabel="step size, standard deviation of the noise")
    panels[0, 0].set_ylabel("objective, nats per image")
    panels[1, 0].set_ylabel("mean squared error, pixels in [0, 1]")
    named = [column for name in means for column in (name, f"{name}_stderr")]
    edges = ("median_fold", "first_fold")
    return Plot(figure, ("run", "trained_with", *edges, "step_size", *named), rows)


def _along_grid(model, x, grid, searches, seed) -> dict[str, np.ndarray]:
    """Every objective, and the squared error, at each step size for each image: [G, B]."""
    observed = model.observe(tf.constant(x), samplers.fold_in(seed, "observe"))
    event_axes = tf.range(1, len(model.event_shape) + 1)

    def mse(size):
        z = _chain(model, observed, size, seed)
        return tf.reduce_mean(tf.square(model.likelihood(z).mean()[0] - x), event_axes)

    def mapped(function):
        @tf.function(jit_compile=model.compile_chains, autograph=False)
        def run(sizes):
            return tf.map_fn(function, sizes, parallel_iterations=1)

        return run(tf.constant(grid, tf.float32)).numpy().astype(np.float64)

    values = {
        name: mapped(lambda size, s=search: s.objective(model, observed, size, seed))
        for name, search in searches.items()
    }
    return values | {"mse": mapped(mse)}


def _chain(model, x, step_size, seed):
    """The chain of `StepSizeSearch.objective`, one for each image: [1, B, K]."""
    start = model.prior.sample([1, tf.shape(x)[0]], samplers.fold_in(seed, "prior"))
    return samplers.langevin(
        lambda z: model.log_joint(x, z),
        start,
        num_steps=model.num_steps,
        step_size=step_size,
        seed=samplers.fold_in(seed, "langevin"),
    )


def _curvatures(model, x, seed) -> np.ndarray:
    """The largest eigenvalue of minus the Hessian of log p(x, z) at each chain's end, [B]."""
    observed = model.observe(tf.constant(x), samplers.fold_in(seed, "observe"))

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(step_size):
        z = _chain(model, observed, step_size, seed)
        return samplers.hessian(lambda z: model.log_joint(observed, z), z)[0]

    hessians = run(tf.convert_to_tensor(model.step_size)).numpy().astype(np.float64)
    return -np.linalg.eigvalsh(hessians)[:, 0]


def _draw_curve(axes, grid, mean, label, color):
    least = np.argmin(np.where(np.isfinite(mean), mean, np.inf))
    axes.plot(grid, mean, color=color, label=f"{label}: least at {grid[least]:g}")
    axes.plot(grid[least], mean[least], "o", color=color)
