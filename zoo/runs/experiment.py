"""Experiments: a config, and the work directory that a run of it leaves."""

import contextlib
import json
import pathlib
import shutil
import tempfile

import keras
import ml_collections
import numpy as np

from zoo import data, scores
from zoo.core.checks import UsageError, check_choice, check_count, check_positive
from zoo.core.files import PARTIAL, write_json, written_whole
from zoo.core.registry import get_method
from zoo.runs.config import base_config

# What the programs leave in a work directory: files, and folders. The config is removed last, since
# the others are only known by it.
OUTPUTS = (
    "model.keras",
    "metrics.csv",
    "evaluation.json",
    "log_likelihood.csv",
    "samples.png",
    "samples.npz",
    "reconstructions.png",
    "inpainting.png",
    "fid.json",
    "serve_check.json",
    *(f"inpainting_{mask}.{kind}" for mask in data.MASKS for kind in ("png", "npz")),
    "config.json",
)
CHECKPOINTS = "checkpoints"
OUTPUT_FOLDERS = ("tensorboard", "export", CHECKPOINTS)
OPTIMIZERS = ("Adam", "Adamax", "RMSprop", "SGD")


def check_config(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Returns a config, once it is known to have the parts that every experiment has.

    Raises:
      UsageError: naming what is missing or of another kind, or wrong in `evaluation`.
    """
    template = base_config(data={}, model={"name": ""}, epochs=0)
    if not isinstance(config, ml_collections.ConfigDict):
        raise UsageError(f"config must be a ConfigDict; it was a {type(config).__name__}.")
    for key, example in template.items():
        kind = type(example)
        value = config.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(f"config: {key} must be a {kind.__name__}; it was {value!r}.")
    for key, part in (("name", config.model), ("name", config.optimizer)):
        if not isinstance(part.get(key), str):
            raise UsageError(f"config: model and optimizer must have a {key}.")
    scores.check_protocol(**config.evaluation)
    return config


def resolve_paths(config: ml_collections.ConfigDict) -> None:
    """Makes the paths in a config absolute, so that its run can be used from anywhere."""
    kind, _, path = str(config.data.source).partition(":")
    if kind in ("npz", "images"):
        config.data.source = f"{kind}:{pathlib.Path(path).expanduser().resolve()}"
    if config.data.get("data_dir") is not None:
        config.data.data_dir = str(pathlib.Path(config.data.data_dir).expanduser().resolve())


def load_data(config: ml_collections.ConfigDict) -> data.Data:
    """The data of a config.

    Raises:
      UsageError: for a source that is unknown or broken, or an argument that `load` does not take.
    """
    with _taking("data: load"):
        return data.load(**config.data, seed=config.seed)


def build(config: ml_collections.ConfigDict, dataset: data.Data) -> keras.Model:
    """The compiled model of a config.

    Raises:
      UsageError: for an unknown method or optimizer, or an argument it does not take.
    """
    check_count(epochs=config.epochs)
    num_steps = config.epochs * int(dataset.train.cardinality())
    with _taking("optimizer"):
        optimizer = _optimizer(**config.optimizer, num_steps=num_steps)
    arguments = config.model.to_dict()
    method = get_method(arguments.pop("name"))
    with _taking(f"model: {method.__name__}"):
        model = method.for_data(dataset, seed=config.seed, **arguments)
    model.compile(optimizer, jit_compile=config.jit_compile)
    return model


def _optimizer(
    name,
    num_steps,
    learning_rate,
    final_learning_rate=None,
    num_stages=None,
    boundaries=None,
    **kwargs,
):
    """A Keras optimizer, whose learning rate falls to `final_learning_rate`.

    Several learning rates follow each other, each from its entry of `boundaries` on, shares of all
    steps; by default for equal numbers of steps. One falls once, for the
    last fifth of all steps, or, with stages, geometrically from stage to stage, each three times as
    long as the one before (Burda et al. 2016: 1, 3, ..., 3^7 epochs).
    """
    several = isinstance(learning_rate, list | tuple)
    for rate in learning_rate if several else [learning_rate]:
        check_positive(learning_rate=rate)
    if several and final_learning_rate is not None:
        raise UsageError("final_learning_rate is for one learning_rate, not for several.")
    if boundaries is not None and (not several or len(boundaries) != len(learning_rate) - 1):
        raise UsageError("boundaries must be one fewer than there are learning rates.")
    if several:
        if boundaries is None:
            boundaries = [(i + 1) / len(learning_rate) for i in range(len(learning_rate) - 1)]
        ends = [int(num_steps * boundary) for boundary in boundaries]
        learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, list(learning_rate))
    if num_stages is not None:
        check_count(num_stages=num_stages)
        if final_learning_rate is None or num_stages < 2:
            raise UsageError("num_stages must be at least 2, and comes with final_learning_rate.")
    if final_learning_rate is not None:
        check_positive(final_learning_rate=final_learning_rate)
        if num_stages is None:
            ends, rates = [4 / 5], [learning_rate, final_learning_rate]
        else:
            ends = np.cumsum(3.0 ** np.arange(num_stages))[:-1] * 2 / (3.0**num_stages - 1)
            rates = np.geomspace(learning_rate, final_learning_rate, num_stages).tolist()
        learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [int(num_steps * end) for end in ends], rates
        )
    optimizer = getattr(keras.optimizers, check_choice("optimizer", name, OPTIMIZERS))
    return optimizer(learning_rate=learning_rate, **kwargs)


@contextlib.contextmanager
def _taking(what):
    """Tells of arguments that something from a config does not take."""
    try:
        yield
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} does not take this: {error}") from error


def make_workdir(path: str, *, name: str = "workdir") -> pathlib.Path:
    """The directory of the flag `name`, made if missing.

    Raises:
      UsageError: if it cannot be made or written to.
    """
    workdir = pathlib.Path(path)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise UsageError(f"{name}: cannot write to {str(path)!r}: {error.strerror}.") from None
    return workdir


def start_run(
    workdir: pathlib.Path, config: ml_collections.ConfigDict, *, overwrite: bool = False
) -> None:
    """Makes the work directory of a new run, or leaves an unfinished one of the same config.

    A run is unfinished while it has a folder of checkpoints, until `finish_run`. What a finished
    run left is removed.

    Args:
      workdir: made if missing.
      config: of the run.
      overwrite: whether to remove an unfinished run, too.

    Raises:
      UsageError: if the directory cannot be written to, holds files of something else, or an
        unfinished run of another config.
    """
    make_workdir(workdir)
    checkpoints = workdir / CHECKPOINTS
    unfinished = checkpoints.is_dir() and not overwrite
    if unfinished:
        _check_same(load_config(workdir), config, workdir)
    else:
        _remove_older_run(workdir)
    _remove(workdir.glob(PARTIAL + "*"))  # what a killed run had not finished writing
    if not unfinished:
        write_json(workdir / "config.json", config.to_dict())
        checkpoints.mkdir()


def finish_run(workdir: pathlib.Path) -> None:
    """Removes the checkpoints of a run, all of whose files are written."""
    gone = workdir / f"{PARTIAL}{CHECKPOINTS}"  # so that no part of them is taken for a run
    (workdir / CHECKPOINTS).rename(gone)
    shutil.rmtree(gone)


def continue_metrics(workdir: pathlib.Path, num_epochs: int) -> None:
    """Leaves the rows of the first epochs in metrics.csv, behind which a run goes on."""
    path = workdir / "metrics.csv"
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        with written_whole(path) as partial:
            partial.write_text("".join(lines[: 1 + num_epochs]) if num_epochs else "")


def _check_same(old, new, workdir):
    old, new = (_flat(json.loads(json.dumps(config.to_dict()))) for config in (old, new))
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            raise UsageError(
                f"workdir: {str(workdir)!r} holds an unfinished run whose {key} is "
                f"{old.get(key)!r}, not {new.get(key)!r}; give another directory, or --overwrite."
            )


def _flat(values, prefix=""):
    """Nested dictionaries as one, of keys with dots."""
    flat = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat


def _remove_older_run(workdir):
    older = [workdir / output for output in (*OUTPUT_FOLDERS, *OUTPUTS)]
    older = [path for path in older if path.exists()]
    try:
        if older:
            load_config(workdir)
    except UsageError:
        raise UsageError(
            f"workdir: {str(workdir)!r} holds {older[0].name} of something else than a run; "
            "give a new directory."
        ) from None
    _remove(older)


def _remove(paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def load_config(workdir: str) -> ml_collections.ConfigDict:
    """The config that a run saved.

    Raises:
      UsageError: if there is none, or it is broken.
    """
    path = pathlib.Path(workdir) / "config.json"
    try:
        return check_config(ml_collections.ConfigDict(json.loads(path.read_text())))
    except OSError as error:
        raise UsageError(f"workdir: cannot read {str(path)!r}: {error.strerror}.") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"workdir: {str(path)!r} is not a config: {error}") from None


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
    except Exception as error:  # a broken file can make Keras, HDF5 and zip raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"workdir: {str(path)!r} cannot be loaded: {reason}") from error
