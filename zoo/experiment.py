"""Experiments: a config, and the work directory that a run of it leaves."""

import contextlib
import json
import os
import pathlib
import tempfile

import keras
import ml_collections

from zoo import data
from zoo.checks import UsageError, check_choice, check_count, check_positive
from zoo.registry import get_method

OUTPUTS = (
    "config.json",
    "model.keras",
    "metrics.csv",
    "evaluation.json",
    "log_likelihood.csv",
    "samples.png",
    "reconstructions.png",
    "inpainting.png",
)
OPTIMIZERS = ("Adam", "Adamax", "RMSprop", "SGD")


def digits_config(**model) -> ml_collections.ConfigDict:
    """The config of a run on the embedded digits, with `model` (its name and arguments) filled in.

    Everything else is the same for all methods, so that comparisons are fair.
    """
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "data": {"source": "digits", "batch_size": 50},
            "model": {"latent_dim": 16, "hidden": (200, 200), "likelihood": "bernoulli"} | model,
            "optimizer": {"name": "Adam", "learning_rate": 1e-3},
            "epochs": 400,
            "jit_compile": True,
            "evaluation": {
                "num_chains": 16,
                "num_increments": 200,
                "num_leapfrog_steps": 5,
                "num_simulated": 100,
            },
        }
    )


def load_data(config: ml_collections.ConfigDict) -> data.Data:
    """The data of a config."""
    return data.load(**config.data, seed=config.seed)


def build(config: ml_collections.ConfigDict, dataset: data.Data) -> keras.Model:
    """The compiled model of a config.

    Raises:
      UsageError: for an unknown method or optimizer, or an argument it does not take.
    """
    check_count(epochs=config.epochs)
    check_positive(learning_rate=config.optimizer.learning_rate)
    optimizer = dict(config.optimizer)
    optimizer = getattr(
        keras.optimizers, check_choice("optimizer", optimizer.pop("name"), OPTIMIZERS)
    )(**optimizer)
    arguments = dict(config.model)
    method = get_method(arguments.pop("name"))
    try:
        model = method.for_data(dataset, seed=config.seed, **arguments)
    except TypeError as error:
        raise UsageError(f"model: {method.__name__} does not take this: {error}") from error
    model.compile(optimizer, jit_compile=config.jit_compile)
    return model


def make_workdir(path: str, *, empty: bool = False) -> pathlib.Path:
    """The work directory, made if it is missing; `empty` removes an older run's files from it.

    Raises:
      UsageError: if it cannot be made or written to.
    """
    workdir = pathlib.Path(path)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise UsageError(f"workdir: cannot write to {path!r}: {error.strerror}.") from None
    for name in OUTPUTS if empty else ():
        (workdir / name).unlink(missing_ok=True)
    return workdir


@contextlib.contextmanager
def written_whole(path: pathlib.Path):
    """A path to write to, of the same ending; what is there in the end replaces `path`."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: pathlib.Path, values: dict) -> None:
    """Writes a dictionary as indented JSON."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n")


def load_config(workdir: str) -> ml_collections.ConfigDict:
    """The config that a run saved.

    Raises:
      UsageError: if there is none, or it is broken.
    """
    path = pathlib.Path(workdir) / "config.json"
    try:
        return ml_collections.ConfigDict(json.loads(path.read_text()))
    except OSError as error:
        raise UsageError(f"workdir: cannot read {str(path)!r}: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"workdir: {str(path)!r} is not a config: {error}.") from None


def load(workdir: str) -> keras.Model:
    """The model that a run saved, compiled as it was.

    Raises:
      UsageError: if there is none, or it is broken.
    """
    path = pathlib.Path(workdir) / "model.keras"
    if not path.is_file():
        raise UsageError(f"workdir: {str(path)!r} is missing; did the training finish?")
    try:
        return keras.models.load_model(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"workdir: {str(path)!r} cannot be loaded: {reason}") from error
