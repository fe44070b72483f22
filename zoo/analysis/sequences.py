"""What models of sequences draw, and where their latents tell something."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import samplers
from zoo.analysis.pictures import show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.data.masks import within
from zoo.scores.chunks import collect_batch, preprocessed


@register_figure
def kl_by_step(runs: Sequence[Run], *, num_sequences: int = 3, seed: int = 0) -> Plot:
    """Where latents tell something: KL(q || p) of each step, below the sequence that it is of.

    As figure 3 of Chung et al. (2015): log p(x_t given z_t, h_{t-1}) - KL of a step is large where
    a sequence changes. Of waveforms the wave is above, of others what the steps are.

    Args:
      runs: of models of sequences with latents.
      num_sequences: the first so many test sequences.
      seed: int, of the latents.

    Returns:
      The picture, and a table with a row for each step of each sequence and run.

    Raises:
      UsageError: for other models, runs on other data, or an argument out of its range.
    """
    check_count(num_sequences=num_sequences)
    for run in runs:
        if not getattr(run.model, "latent_dim", 0) or not defines(run.model, "kl_by_step"):
            raise UsageError(f"model must be of sequences, with latents; {run.label} is not.")
    figure = Figure(figsize=(4 * num_sequences, 4.5), layout="constrained")
    panels = figure.subplots(2, num_sequences, squeeze=False)
    rows, first = [], None
    for run in runs:
        batch = collect_batch(run.model, run.data.test, num_sequences)
        first = batch["x"] if first is None else first
        if not np.array_equal(batch["x"], first):
            raise UsageError(
                f"workdir: all runs must have the same test sequences; {run.label} has others than "
                f"{runs[0].label}."
            )
        observed = {k: tf.constant(v) for k, v in preprocessed(run.model, batch, seed).items()}
        path = run.model.unroll(observed, 1, seed)
        kl = run.model.kl_by_step(path)[:, 0].numpy()
        for k, (length, wave, below) in enumerate(zip(batch["length"], *panels, strict=True)):
            steps = np.arange(length)
            if run is runs[0]:
                x = batch["x"][k, :length]
                ends = np.linspace(0, length, x.size, endpoint=False)
                together = x.shape[1] > 3  # frames of one wave, and not a few numbers
                wave.plot(ends if together else steps, x.ravel() if together else x, linewidth=0.7)
                wave.set(xlim=(0, length), xticks=[])
            below.stairs(kl[:length, k], np.arange(length + 1), label=run.label)
            below.set(xlabel="step", xlim=(0, length))
            rows += [(run.label, k, t, float(kl[t, k])) for t in range(length)]
    for below in panels[1]:
        below.set_ylim(bottom=0)
    panels[1, 0].set_ylabel("KL, nats")
    panels[1, 0].legend()
    return Plot(figure, ("model", "sequence", "step", "kl"), rows)


@register_figure
def draws_beside_data(
    runs: Sequence[Run], *, num_draws: int = 8, length: int | None = None, seed: int = 0
) -> Plot:
    """What models draw, below real examples: strokes as ink, frames as waves, rows as images.

    As figure 4 of Chung et al. (2015), the truth, the RNN-GMM and the VRNN.

    Args:
      runs: of models of data of one shape.
      num_draws: of each.
      length: of the draws; by default each is as long as the example above it.
      seed: int, of the draws.

    Returns:
      The picture, and a table with the mean and the standard deviation of what is drawn, by row.

    Raises:
      UsageError: for an argument out of its range, or runs on data of another shape.
    """
    check_count(num_draws=num_draws)
    first = runs[0]
    real = collect_batch(first.model, first.data.test, num_draws)
    lengths = real.get("length")
    drawn = {"data": real["x"]}
    for run in runs:
        if run.model.fields["x"].shape != first.model.fields["x"].shape:
            raise UsageError(f"data must be of one shape; those of {run.label} are not.")
        if lengths is None:
            found = run.model.sample(num_draws, seed)
        else:
            told = lengths if length is None else np.full(num_draws, length)
            keys = [samplers.fold_in(seed, k) for k in range(num_draws)]
            parts = [run.model.sample(1, key, length=n) for key, n in zip(keys, told, strict=True)]
            found = {k: np.concatenate([part[k] for part in parts]) for k in ("x", "mean")}
        drawn[run.label] = found[run.model.fields["x"].pictured]
    field = first.model.fields["x"]
    images = field.picture(np.stack([*drawn.values()]))  # together, on one scale
    figure = Figure(figsize=(1.2 * num_draws, 1.3 * len(images)), layout="constrained")
    axes = figure.subplots()
    show_grid(axes, images)
    names = list(drawn)
    axes.set_yticks((np.arange(len(names)) + 0.5) * axes.get_ylim()[0] / len(names), names)
    rows = []
    for name, x in drawn.items():
        steps = lengths if name == "data" or length is None else np.full(num_draws, length)
        there = x[within({"x": x} if steps is None else {"x": x, "length": steps})]
        rows.append((name, float(there.mean()), float(there.std())))
    return Plot(figure, ("row", "mean", "stddev"), rows)
