"""Experiments: a config, and the work directory that a run of it leaves."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile

import keras
import ml_collections
import numpy as np
import tensorflow as tf

from zoo import data, evaluation
from zoo.annealing import PROTOCOLS
from zoo.checks import UsageError, check_choice, check_count, check_positive
from zoo.registry import get_method
from zoo.step_size import StepSizeSearch

# What the programs leave in a work directory: files, and folders.
OUTPUTS = (
    "config.json",
    "model.keras",
    "metrics.csv",
    "evaluation.json",
    "log_likelihood.csv",
    "samples.png",
    "samples.npz",
    "reconstructions.png",
    "inpainting.png",
    "fid.json",
    *(f"inpainting_{mask}.{kind}" for mask in data.MASKS for kind in ("png", "npz")),
)
OUTPUT_FOLDERS = ("tensorboard", "export")
# What an evaluation does beside the annealing.
_BESIDE = {"num_simulated": 100, "num_importance_samples": 5000}
OPTIMIZERS = ("Adam", "Adamax", "RMSprop", "SGD")


def digits_config(**model) -> ml_collections.ConfigDict:
    """The config of a run on the embedded digits, with `model` (its name and arguments) filled in.

    Everything else is the same for all methods, so that comparisons are fair.
    """
    return _config(
        data={"source": "digits", "batch_size": 50},
        model={"latent_dim": 16, "hidden": (200, 200)} | model,
        epochs=400,
    )


def mnist_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on MNIST: the sizes of papers, or the preset "small".

    Hoffman's (2017) sizes are not known; these are near those of the papers that compare with it.

    Raises:
      UsageError: for another preset.
    """
    return _image_config({"source": "mnist"}, preset, model)


def omniglot_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on Omniglot, 28 by 28 pixels, bright ink.

    TFDS tests on other alphabets than it trains on, so that values are not those of Burda et al.
    (2016), who split the images of all alphabets at random.
    """
    omniglot = {"source": "omniglot", "size": 28, "grey": True, "invert": True}
    return _image_config(omniglot, preset, model)


def cifar10_config(preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The same on CIFAR-10, with discretised logistic pixels, so in bits per dimension, too."""
    likelihood = {"name": "discretised_logistic", "scale": 0.1, "learn_scale": True}
    return _image_config({"source": "cifar10"}, preset, {"likelihood": likelihood} | model)


def ding_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The experiments of Ding and Freedman (2020): networks 784-200-200-50 of Burda et al. (2016).

    Args:
      data_set: "mnist" or "omniglot".
      preset: "paper", with their 3,280 epochs and 10,000 increments in evaluation (of which a
        single model takes days without an accelerator), or "small", with 25 epochs.
      **model: its name and arguments.

    Raises:
      UsageError: for another preset.
    """
    check_choice("preset", preset, ("paper", "small"))
    networks = {
        "latent_dim": 50,
        "hidden": (200, 200),
        "upper_latent_dim": 0,  # of a second stochastic layer; Burda et al. have 100 and 50
        "activation": "tanh",
    }
    config = {"mnist": mnist_config, "omniglot": omniglot_config}[data_set]("small")
    config.model = networks | {"likelihood": "bernoulli"} | model
    config.data.batch_size = 128
    config.optimizer.epsilon = 1e-4
    if preset == "paper":
        config.epochs = 3280
        config.optimizer.num_stages = 8
        config.optimizer.final_learning_rate = 1e-4
        config.evaluation.update(PROTOCOLS["paper"])
        config.evaluation.num_images = ml_collections.config_dict.placeholder(int)  # all
    return config


# What Nijkamp et al. (2020) train on, as `zoo.data.load` takes it.
_NIJKAMP_DATA = {
    "digits": {"source": "digits"},
    "mnist": {"source": "mnist"},
    "svhn": {"source": "svhn_cropped"},
    "cifar10": {"source": "cifar10"},
    "celeba": {"source": "celeb_a", "size": 32},
}
_NIJKAMP_SIZES = {
    # Three layers of table 4, 300,000 updates.
    "paper": {"latent_dims": (32, 64, 128), "width": 64, "blocks": "convolution"},
    "small": {"latent_dims": (8, 16, 16), "width": 8, "blocks": "convolution"},
    "dense": {"latent_dims": (8, 16, 16), "width": 128, "blocks": "dense"},
}


def nijkamp_config(data_set: str, preset: str = "paper", **model) -> ml_collections.ConfigDict:
    """The experiments of Nijkamp et al. (2020): top-down generators with several layers.

    The same networks, noise and optimizer for all methods.

    Args:
      data_set: "digits" (which has one preset, of dense blocks), "mnist", "svhn", "cifar10" (not in
        the paper) or "celeba", of 32 by 32 pixels (`data.size` of 64 is the paper's other).
      preset: "paper", with their networks and 300,000 updates; "small", with few channels and some
        thousand updates; or "dense", fully connected.
      **model: its name and arguments.

    Raises:
      UsageError: for another data set or preset.
    """
    check_choice("preset", preset, _NIJKAMP_SIZES)
    data = {"batch_size": 100} | _NIJKAMP_DATA[check_choice("data_set", data_set, _NIJKAMP_DATA)]
    networks = _NIJKAMP_SIZES[preset]
    if data_set == "digits":
        networks = {"latent_dims": (8, 8, 8), "width": 64, "blocks": "dense"}
    else:
        data["data_dir"] = ml_collections.config_dict.placeholder(str)
    likelihood = {"name": "gaussian", "scale": 0.15}
    if preset == "paper" and data_set != "digits":
        likelihood |= {"annealed_from": 0.3, "annealing_steps": 50_000}
    networks = networks | {"hierarchical": False, "likelihood": likelihood}
    if model["name"] in ("ShortRun", "ABP"):
        search = dataclasses.asdict(StepSizeSearch())
        networks["step_size_search"] = search | {"grid": list(search["grid"])}
    config = _config(data=data, model=networks | model, epochs=167 if data_set == "digits" else 5)
    config.evaluation.start = "prior"
    if networks["blocks"] == "convolution" and not tf.config.list_physical_devices("GPU"):
        # On a CPU convolutions in a compiled loop take 6 times as long as uncompiled ones.
        config.jit_compile = False
    if data_set != "digits":
        config.evaluation.num_images = 300
    if preset == "paper" and data_set != "digits":
        config.epochs = _NIJKAMP_EPOCHS[data_set]
        config.optimizer = {"name": "Adam", "learning_rate": (1e-4, 5e-5, 1e-5)}
    return config


# 300,000 updates, to the next epoch, of what is left of TFDS's training splits.
_NIJKAMP_EPOCHS = {"mnist": 556, "svhn": 456, "cifar10": 667, "celeba": 205}


def _image_config(source, preset, model):
    sizes = {
        "paper": {"latent_dim": 64, "hidden": (500, 500)},
        "small": {"latent_dim": 32, "hidden": (200, 200)},
    }
    check_choice("preset", preset, sizes)
    config = _config(
        data={"batch_size": 250, "data_dir": ml_collections.config_dict.placeholder(str)} | source,
        model=sizes[preset] | model,
        epochs=25 if preset == "small" else 500,
    )
    config.evaluation.num_images = 300
    if preset == "paper":
        config.optimizer.final_learning_rate = 1e-4
    return config


def _config(*, data, model, epochs):
    return ml_collections.ConfigDict(
        {
            "seed": 0,
            "data": data,
            "model": {"likelihood": "bernoulli"} | model,
            "optimizer": {"name": "Adam", "learning_rate": 1e-3},
            "epochs": epochs,
            "jit_compile": True,
            "evaluation": PROTOCOLS["quick"] | {"start": "posterior"} | _BESIDE,
        }
    )


def check_config(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Returns a config, once it is known to have the parts that every experiment has.

    Raises:
      UsageError: naming what is missing or of another kind, or wrong in `evaluation`.
    """
    template = _config(data={}, model={"name": ""}, epochs=0)
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
    evaluation.check_protocol(**config.evaluation)
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


def _optimizer(name, num_steps, learning_rate, final_learning_rate=None, num_stages=None, **kwargs):
    """A Keras optimizer, whose learning rate falls to `final_learning_rate`.

    Several learning rates follow each other for equal numbers of steps. One falls once, for the
    last fifth of all steps, or, with stages, geometrically from stage to stage, each three times as
    long as the one before (Burda et al. 2016: 1, 3, ..., 3^7 epochs).
    """
    several = isinstance(learning_rate, list | tuple)
    for rate in learning_rate if several else [learning_rate]:
        check_positive(learning_rate=rate)
    if several and final_learning_rate is not None:
        raise UsageError("final_learning_rate is for one learning_rate, not for several.")
    if several:
        ends = [num_steps * (i + 1) // len(learning_rate) for i in range(len(learning_rate) - 1)]
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


def make_workdir(path: str, *, name: str = "workdir", empty: bool = False) -> pathlib.Path:
    """The directory of the flag `name`, made if missing; `empty` removes an older run's files.

    Raises:
      UsageError: if it cannot be made or written to.
    """
    workdir = pathlib.Path(path)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise UsageError(f"{name}: cannot write to {path!r}: {error.strerror}.") from None
    if empty:
        _remove_older_run(workdir)
    return workdir


def _remove_older_run(workdir):
    older = [workdir / output for output in (*OUTPUTS, *OUTPUT_FOLDERS)]
    older = [path for path in older if path.exists()]
    try:
        if older:
            load_config(workdir)
    except UsageError:
        raise UsageError(
            f"workdir: {str(workdir)!r} holds {older[0].name} of something else than a run; "
            "give a new directory."
        ) from None
    for path in older:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


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
