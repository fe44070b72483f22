"""What a run leaves in its work directory beside the config: model, figures, pictures."""

import csv
import json
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from zoo import data, scores
from zoo.analysis import pictures
from zoo.core.checks import UsageError, check_count
from zoo.core.files import write_json, written_whole
from zoo.data.masks import hidden_mse
from zoo.runs.experiment import load_config
from zoo.scores.chunks import collect

UNITS = {
    "log_likelihood": "nats per image",
    "log_likelihood_stderr": "nats, over images",
    "bdmc_gap": "nats, on simulated images",
    "bits_per_dim": "bits per pixel and channel",
    "bound": "nats per image, one sample of the encoder",
    "importance_weighted_bound": "nats per image, many samples of the encoder",
    "effective_sample_size": "of so many, mean over images",
    "log_normalizer": "nats, log Z of the prior, AIS",
    "log_normalizer_stddev": "nats, over chains",
    "accept_rate": "of the model's chain",
    "reconstruction_mse": "per pixel in [0, 1]",
}


def write_model(model: keras.Model, workdir: pathlib.Path) -> None:
    """Writes model.keras: networks, state, and the optimizer's state."""
    with written_whole(workdir / "model.keras") as partial:
        model.save(partial)


def write_evaluation(model, images: tf.data.Dataset, workdir: pathlib.Path, **protocol) -> None:
    """Scores the model; writes evaluation.json and log_likelihood.csv, and prints a table.

    Args:
      model: a fitted model.
      images: the test pipeline.
      workdir: where to write.
      **protocol: as `zoo.scores.report`.
    """
    figures, per_image = scores.report(model, images, **protocol)
    write_json(workdir / "evaluation.json", figures)
    with written_whole(workdir / "log_likelihood.csv") as partial, partial.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "log_likelihood"])
        writer.writerows(enumerate(per_image.tolist()))
    print(f"\n{model.name} on {figures['num_images']} test images")
    for name in (name for name in UNITS if name in figures):
        value = "-" if figures[name] is None else f"{figures[name]:.4f}"
        print(f"  {name:<26}{value:>10}  {UNITS[name]}")


def write_pictures(model, images: tf.data.Dataset, workdir: pathlib.Path, seed: int) -> None:
    """Writes samples.png, reconstructions.png and inpainting.png.

    Of a conditional model the samples are completions of the first image.
    """
    x = collect(model, images)[:10]
    (visible,) = data.completion_masks(model, ["bottom"]).values()
    samples = pictures.samples(model, x, seed=seed)
    completions = pictures.completions(model, x, visible, seed)
    _write_picture(workdir / "samples.png", pictures.square(samples["mean"]))
    _write_picture(workdir / "reconstructions.png", pictures.reconstructions(model, x, seed))
    _write_picture(workdir / "inpainting.png", pictures.inpainting(x, visible, completions["mean"]))


def write_samples(
    model, workdir: pathlib.Path, num_samples: int, seed: int, images: tf.data.Dataset | None = None
) -> None:
    """Writes samples.png and samples.npz; a conditional model completes the first of `images`."""
    x = collect(model, images, 1) if model.sample_fields else None
    draws = pictures.samples(model, x, num_samples, seed)
    _write_arrays(workdir / "samples.npz", draws)
    _write_picture(workdir / "samples.png", pictures.square(draws["mean"]))


def write_inpainting(
    model,
    images: tf.data.Dataset,
    workdir: pathlib.Path,
    *,
    masks: Sequence[str] | None,
    coverage: float | None,
    num_images: int,
    num_completions: int,
    num_steps: int | None,
    seed: int,
) -> None:
    """Writes inpainting_MASK.png and inpainting_MASK.npz for each mask, and prints its errors.

    Args:
      model: a fitted model.
      images: the test pipeline.
      workdir: where to write.
      masks: names, as `zoo.data.mask` takes them; None is the left half, or a conditional model's
        own mask.
      coverage: the share of the pixels hidden; None is each mask's own.
      num_images: first so many images.
      num_completions: of each image.
      num_steps: transitions of each chain; None is the model's own number.
      seed: of the chains and of the random masks.

    Raises:
      UsageError: before anything is computed, for arguments that are out of bounds, or a coverage
        so small that a mask hides nothing.
    """
    check_count(num_images=num_images, num_completions=num_completions)
    if num_steps is not None:
        check_count(num_steps=num_steps)
    shown = data.completion_masks(model, masks, seed, coverage)
    for name, visible in shown.items():
        if visible.all():
            raise UsageError(f"coverage must be larger: the mask {name!r} hides no pixel.")
    x = collect(model, images, num_images)
    steps = "the model's own number of" if num_steps is None else num_steps
    print(f"{num_completions} completions of {len(x)} images, {steps} transitions each")
    for name, visible in shown.items():
        drawn = pictures.completions(
            model, x, visible, seed, num_completions, num_steps, verbose=True
        )
        arrays = {
            "x": x,
            "visible": visible,
            "completions": drawn["x"],
            "means": drawn["mean"],
            "hidden_mse": hidden_mse(x, drawn["mean"], visible),
            "hidden_mse_of_mean": hidden_mse(x, drawn["mean"].mean(0), visible),
        }
        print(
            f"{name}: {1 - visible.mean():.1%} hidden; mean squared error there, pixels in [0, 1]: "
            f"{arrays['hidden_mse_of_mean'].mean():.4f} of the completions' mean, "
            f"{arrays['hidden_mse'].mean():.4f} of a single one"
        )
        _write_arrays(workdir / f"inpainting_{name}.npz", arrays)
        picture = pictures.inpainting(x, visible, drawn["mean"])
        if len(x) == 1:  # a column of its own would be long and thin
            picture = pictures.square(picture[:, 0])
        _write_picture(workdir / f"inpainting_{name}.png", picture)


def _write_arrays(path, arrays):
    with written_whole(path) as partial:
        np.savez_compressed(partial, **arrays)
    print(path)


def _write_picture(path, rows):
    with written_whole(path) as partial:
        pictures.save_grid(partial, rows)
    print(path)


def read_log_likelihood(workdir: str) -> tuple[dict, np.ndarray]:
    """evaluation.json and the log-likelihood of every image, as a run wrote them.

    Raises:
      UsageError: if they are missing, broken, or not of one evaluation.
    """
    path = pathlib.Path(workdir)
    try:
        figures = json.loads((path / "evaluation.json").read_text())
        values = np.loadtxt(
            path / "log_likelihood.csv", delimiter=",", skiprows=1, usecols=1, ndmin=1
        )
        mean = figures["log_likelihood"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(f"workdir: {workdir!r} has no evaluation to read: {error}.") from None
    if len(values) != figures["num_images"] or not np.isclose(mean, values.mean()):
        raise UsageError(f"workdir: evaluation.json and log_likelihood.csv of {workdir!r} differ.")
    return figures, values


def check_scored_alike(workdirs: list[str], *, seeds: bool = True) -> None:
    """Refuses to compare runs that were not scored on the same images by the same protocol.

    Args:
      workdirs: of the runs.
      seeds: whether their seeds must be the same, too, so that images can be paired.
    """
    first = None
    for workdir in workdirs:
        config, (figures, _) = load_config(workdir), read_log_likelihood(workdir)
        images = {k: v for k, v in config.data.items() if k not in ("batch_size", "data_dir")}
        scored = {"data": images, "likelihood": config.model.get("likelihood")}
        keys = ("num_images", "protocol", *(["seed"] if seeds else []))
        scored |= {key: figures.get(key) for key in keys}
        first = first or scored
        for key, value in scored.items():
            if value != first[key]:
                raise UsageError(
                    f"workdir: {key} must be the same in all runs; "
                    f"it was {first[key]!r} in {workdirs[0]!r} and {value!r} in {workdir!r}."
                )
