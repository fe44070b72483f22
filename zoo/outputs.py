"""What a run leaves in its work directory beside the config: model, figures, pictures."""

import csv
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf

from zoo import evaluation, plots
from zoo.checks import UsageError
from zoo.evaluation.chunks import collect
from zoo.experiment import write_json, written_whole

UNITS = {
    "log_likelihood": "nats per image, AIS",
    "log_likelihood_stderr": "nats, over images",
    "bdmc_gap": "nats, on simulated images",
    "bound": "nats per image, one sample",
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
      **protocol: as `zoo.evaluation.report`.
    """
    figures, per_image = evaluation.report(model, images, **protocol)
    write_json(workdir / "evaluation.json", figures)
    with written_whole(workdir / "log_likelihood.csv") as partial, partial.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "log_likelihood"])
        writer.writerows(enumerate(per_image.tolist()))
    print(f"\n{model.name} on {figures['num_images']} test images")
    for name, unit in UNITS.items():
        value = "-" if figures[name] is None else f"{figures[name]:.4f}"
        print(f"  {name:<22}{value:>10}  {unit}")


def write_pictures(model, images: tf.data.Dataset, workdir: pathlib.Path, seed: int) -> None:
    """Writes samples.png, reconstructions.png and inpainting.png."""
    x = collect(model, images)[:10]
    for name, rows in {
        "samples": plots.samples(model, seed),
        "reconstructions": plots.reconstructions(model, x, seed),
        "inpainting": plots.inpaintings(model, x, seed),
    }.items():
        with written_whole(workdir / f"{name}.png") as partial:
            plots.save_grid(partial, rows)


def read_log_likelihood(workdir: str) -> tuple[dict, np.ndarray]:
    """evaluation.json and the log-likelihood of every image, as a run wrote them.

    Raises:
      UsageError: if they are missing.
    """
    path = pathlib.Path(workdir)
    try:
        figures = json.loads((path / "evaluation.json").read_text())
        values = np.loadtxt(path / "log_likelihood.csv", delimiter=",", skiprows=1, usecols=1)
    except (OSError, ValueError) as error:
        raise UsageError(f"workdir: {workdir!r} has no evaluation to read: {error}.") from None
    return figures, values
