"""The card of a preset: what a user wants to know of a trained model before using it."""

import pathlib
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import samplers
from zoo import scores
from zoo.core.abilities import defines
from zoo.core.checks import UsageError
from zoo.runs import manifest
from zoo.runs.run import Run
from zoo.scores.chunks import collect_batch

LICENCES = {
    "digits": "CC BY 4.0, UCI's Optical Recognition of Handwritten Digits",
    "mnist": "CC BY-SA 3.0, LeCun, Cortes and Burges",
}
# What tells most of a model, of those that it is scored by.
METRICS = ("log_likelihood", "accuracy", "particle_filter", "bound", "reconstruction_mse")


def make_card(
    run: Run, model: keras.Model, *, name: str, licence: str | None, commit: str | None
) -> dict[str, Any]:
    """Scores a model on a run's test data, and gathers what is known of its training.

    Args:
      run: the run that trained it.
      model: with the weights that the preset holds.
      name: of the preset.
      licence: of the data; None is that of a source in `LICENCES`.
      commit: of the code that trained it; None where it is not known.

    Returns:
      The card, as JSON can hold it: the metric has its standard error over the examples, None
      where the score tells none, and `loss` is what `loss_of` tells.

    Raises:
      UsageError: for data of an unknown licence.
    """
    config = run.config.to_dict()
    licence = licence or LICENCES.get(config["data"]["source"])
    if licence is None:
        raise UsageError(
            f"licence must be given, of the data {config['data']['source']!r}; known are those of "
            f"{', '.join(map(repr, LICENCES))}."
        )
    settings = config["evaluation"] | {"seed": config["seed"]}
    found, _ = scores.report(model, run.data.test, **settings)
    told = {key: found[key] for key in scores.units() if found.get(key) is not None}
    seconds = manifest.noted(run.workdir, "seconds")
    return {
        "name": name,
        "method": type(model).__name__,
        "settings": config["model"],
        "data": config["data"],
        "num_examples": dict(run.data.num_examples),
        "split": "train and validation to train and to choose, test for the metric",
        "licence_of_data": licence,
        "seed": config["seed"],
        "epochs": config["epochs"],
        "optimizer": {k: config["optimizer"][k] for k in ("name", "learning_rate")},
        "command": command_of(manifest.noted(run.workdir, "command")),
        "commit": commit,
        "training_seconds": seconds and round(seconds),
        "metric": metric_of(found, config["seed"]),
        "scores": told,
        "warnings": found["warnings"],
        "loss": loss_of(model, run.data.test),
    }


def metric_of(found: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The figure of a report that tells most of a model.

    Args:
      found: what `scores.report` tells.
      seed: of its chains.

    Returns:
      Its name, value, `stderr`, unit, and how it was found.
    """
    name = next(name for name in METRICS if found.get(name) is not None)
    value, number = found[name], found["num_images"]
    stderr = found.get(f"{name}_stderr")
    if name == "accuracy":
        stderr = (value * (1 - value) / number) ** 0.5  # of a binomial share
    return {
        "name": name,
        "value": value,
        "stderr": stderr,
        "unit": scores.units()[name],
        "num_examples": number,
        "protocol": found.get("protocol"),
        "seed": seed,
    }


def loss_of(model: keras.Model, test, seed: int = 0) -> dict[str, float]:
    """What tells in a moment whether weights are those of a card, on all test examples.

    Args:
      model: which is compiled without XLA, where it is not yet and must be evaluated.
      test: a pipeline.
      seed: of the binarisation and of the draws.

    Returns:
      Minus the bound of one draw of each example, in nats, or, of a method without a density, the
      `mse` of its batches; and its `stderr` over the examples, or over their batches.
    """
    if not defines(model, "log_weights"):
        if not model.compiled or model.jit_compile:
            model.compile(jit_compile=False)
        of_batches = [model.test_on_batch(batch, return_dict=True)["loss"] for batch in test]
        return {"value": float(np.mean(of_batches)), "stderr": _standard_error(of_batches)}
    model.prepare_for_scores(model.score_seed)
    batch = {name: tf.constant(values) for name, values in collect_batch(model, test, None).items()}
    batch = model.preprocess(batch, samplers.fold_in(seed, "observe"))
    log_weights = tf.function(model.log_weights, autograph=False)
    losses = -log_weights(batch, 1, samplers.fold_in(seed, "bound"))[0].numpy()
    return {"value": float(losses.mean()), "stderr": _standard_error(losses)}


def _standard_error(values):
    return float(samplers.standard_error(np.asarray(values)))


def commit_here() -> str | None:
    """The commit of the code that runs, where it lies in a repository of git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=pathlib.Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return found.stdout.strip() or None


def command_of(noted: str | None) -> str | None:
    """The installed command that trains the same anywhere: what was typed, but for places here."""
    words = iter(shlex.split(noted or ""))
    for word in words:  # up to the program
        if pathlib.Path(word).stem == "train":
            break
    arguments = []
    for word in words:
        if word in ("--workdir", "-workdir"):
            next(words, None)
        elif not word.startswith(("--workdir=", "-workdir=")):
            arguments.append(word)
    return shlex.join(["mcmc-zoo", "train", *arguments]) if noted else None
