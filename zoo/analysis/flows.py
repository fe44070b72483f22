"""Figures of flows: bounds by their number, and what the latents of an exact density mean."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

import samplers
from zoo.analysis.bounds import bounds_against
from zoo.analysis.comparison import check_scored_alike
from zoo.analysis.pictures import check_image_model, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count, check_positive
from zoo.parts.posteriors import get_posterior
from zoo.scores.chunks import collect


@register_figure
def bound_by_num_flows(runs: Sequence[Run], *, seed: int = 0) -> Plot:
    """What flows buy: bound and log-likelihood in nats per image against the number of flows k.

    As Rezende and Mohamed (2015), figure 4, have it; a mean-field posterior is k = 0 of every kind.
    Each point is a run, and lines join means of runs of one kind with the same k: full ones the
    bounds, dashed ones the log-likelihoods.

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
        scores = [figures[name] for name in ("bound", "log_likelihood", "log_likelihood_stderr")]
        rows.append((run.workdir, *_flows_of(run), *scores))
    drawn = [row[1:5] for row in rows]
    figure = bounds_against(drawn, "flows k", "log-likelihood", zero_is_of_all=True)
    columns = ("workdir", "flows", "num_flows", "bound", "log_likelihood", "stderr")
    return Plot(figure, columns, rows)


def _flows_of(run):
    """The kind of a run's posterior, in words, and how many flows it has."""
    posterior = run.config.model.get("posterior")
    if posterior is None:
        raise UsageError(f"workdir: runs must have a posterior; that of {run.workdir!r} has none.")
    posterior = {"name": posterior} if isinstance(posterior, str) else posterior.to_dict()
    # With the defaults that a config may leave out.
    arguments = posterior | getattr(get_posterior(posterior), "arguments", {})
    if not arguments.get("num_flows"):
        return "mean_field", 0
    words = [arguments[name] for name in ("name", "mixing") if arguments.get(name)]
    words += ["amortised"] * bool(arguments.get("amortised"))
    return ", ".join(words), arguments["num_flows"]


@register_figure
def samples_by_temperature(
    runs: Sequence[Run],
    *,
    temperatures: Sequence[float] = (0.5, 0.7, 0.85, 1.0),
    num_samples: int = 8,
    seed: int = 0,
) -> Plot:
    """Draws of an exact density at several temperatures, of the same noise in each column.

    As Kingma and Dhariwal (2018), figure 8. The table has the mean and the deviation of the pixels.

    Args:
      runs: of models with an exact density of images.
      temperatures: by which the noise is multiplied, a row each.
      num_samples: columns.
      seed: of the noise.

    Returns:
      The picture, and a table with a row for each temperature.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_samples=num_samples)
    if not isinstance(temperatures, list | tuple) or not temperatures:
        raise UsageError(f"temperatures must be a list of numbers; it was {temperatures!r}.")
    for temperature in temperatures:
        check_positive(temperatures=temperature)
    figure, panels = panels_in_a_row(len(runs), 0.8 * num_samples, 0.8 * len(temperatures) + 0.4)
    rows = []
    for run, axes in zip(runs, panels, strict=True):
        _check_exact(run)
        drawn = [run.model.sample(num_samples, seed, temperature=t)["mean"] for t in temperatures]
        show_grid(axes, np.stack(drawn))
        rows_of = (np.arange(len(temperatures)) + 0.5) / len(temperatures)
        low, high = sorted(axes.get_ylim())
        axes.set_yticks(low + rows_of * (high - low), [f"{t:g}" for t in temperatures])
        axes.set(title=run.label, ylabel="temperature")
        rows += [
            (run.label, t, float(x.mean()), float(x.std()))
            for t, x in zip(temperatures, drawn, strict=True)
        ]
    return Plot(figure, ("model", "temperature", "pixel_mean", "pixel_stddev"), rows)


@register_figure
def interpolations(
    runs: Sequence[Run], *, num_pairs: int = 6, num_between: int = 7, seed: int = 0
) -> Plot:
    """Ways between pairs of test images through the latents of an exact density, on straight lines.

    As Kingma and Dhariwal (2018), figure 5. The table has the log-density of every image.

    Args:
      runs: of models with an exact density of images.
      num_pairs: rows.
      num_between: images between the two of a pair.
      seed: of the noise that dequantises the pairs.

    Returns:
      The picture, and a table with a row for each image.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_pairs=num_pairs, num_between=num_between)
    shares = np.linspace(0.0, 1.0, num_between + 2, dtype="f")[:, None, None]
    figure, panels = panels_in_a_row(len(runs), 0.8 * len(shares), 0.8 * num_pairs + 0.4)
    rows = []
    for run, axes in zip(runs, panels, strict=True):
        _check_exact(run)
        model = run.model
        x = tf.constant(collect(model, run.data.test, 2 * num_pairs))
        z, _ = model.infer(model.preprocess({"x": x}, samplers.as_seed(seed)), 1, seed)
        first, second = tf.split(z[0], 2)
        between = (1 - shares) * first + shares * second
        show_grid(axes, np.swapaxes(model.expected(between).numpy(), 0, 1))
        axes.set(title=run.label)
        u = model.inverse(tf.reshape(between, [-1, model.latent_dim]))
        log_prob = model.log_prob({"x": u}).numpy().reshape(len(shares), num_pairs)
        rows += [
            (run.label, pair, float(share), float(log_prob[k, pair]))
            for pair in range(num_pairs)
            for k, share in enumerate(shares[:, 0, 0])
        ]
    return Plot(figure, ("model", "pair", "share", "log_prob"), rows)


def _check_exact(run):
    check_image_model(run.model)
    if not defines(run.model, "inverse"):
        raise UsageError(f"model must have an exact density, as zoo.Glow; {run.label} has not.")
