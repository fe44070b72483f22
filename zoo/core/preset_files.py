"""Presets of models: written from one, and read into one, without running any code of theirs."""

import copy
import io
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import keras
import numpy as np

from zoo.core import version
from zoo.core.checks import UsageError, check_choice, check_same_shapes
from zoo.core.files import PARTIAL
from zoo.core.kept import KeptModel
from zoo.core.presets import CARD, CONFIG, FILES, WEIGHTS, Preset, digest, open_preset

DTYPES = ("float16", "float32")
OF_EXAMPLES = "of_examples"  # what the state of training examples is called in files of weights
_OF_TRAINING = ("optimizer", OF_EXAMPLES)
_COMPRESSED = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
# Classes of Keras that run what a file holds or names.
_RUN_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_PLAIN = ("__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__", "__bytes__")


def from_preset(name: str | pathlib.Path) -> KeptModel:
    """Returns a trained model by its name.

    It is compiled as it was, with a new optimizer, so that `fit` trains it further; chains that are
    kept for training examples begin anew.

    Args:
      name: one of `zoo.preset_names()`, the path of a folder that `save_to_preset` wrote, or
        "hf://owner/name", maybe with "@revision", of the Hugging Face Hub.

    Returns:
      The model.

    Raises:
      UsageError: if there is no such preset, it is damaged, of a newer version, or holds anything
        but classes of the zoo and of Keras, such as a Lambda layer.
    """
    return make_model(open_preset(name))


def make_model(preset: Preset) -> KeptModel:
    """Returns the model of a preset; see `from_preset`."""
    config = copy.deepcopy(preset.config["model"])
    _check_classes(config, preset.told)
    compiled_by = config.pop("compile_config", None)
    for part in _dictionaries(config):
        if "zoo_version" in part:  # which is known to be none that is newer
            part["zoo_version"] = version.VERSION
    try:
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        if not isinstance(model, KeptModel):
            raise UsageError(f"it holds a {type(model).__name__}, which is no model of the zoo.")
    except Exception as error:  # what is in a config can make Keras raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0].removesuffix(".")
        raise UsageError(f"{preset.told} cannot be read: {reason}.") from error
    read_weights(preset, model)
    if compiled_by:
        model.compile_from_config(compiled_by)
    return model


def read_weights(preset: Preset, model: KeptModel) -> None:
    """Sets a model's weights to those of a preset; its optimizer and its chains stay as they are.

    Args:
      preset: of a model of the same networks.
      model: whose weights are set.

    Raises:
      UsageError: naming the first variable that differs; the model stays as it was.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / WEIGHTS
        model.save_weights(path)
        try:
            with h5py.File(io.BytesIO(preset.weights)) as file:
                found = _arrays(file)
                with h5py.File(path, "r+") as own:
                    wanted = _arrays(own)
                    check_same_shapes(f"{preset.told} is of another model", found, wanted)
                    for name, array in wanted.items():
                        if found[name].external or found[name].is_virtual:
                            raise UsageError(f"{preset.told} reaches into other files: {name!r}.")
                        array[...] = found[name][()]
        except (OSError, RuntimeError, TypeError, ValueError, KeyError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"{preset.told} has weights that cannot be read: {error}.") from None
        model.load_weights(path)


def save_preset(
    model: KeptModel,
    folder: str | pathlib.Path,
    *,
    card: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    dtype: str = "float16",
) -> None:
    """Writes a folder that `from_preset` reads: its config, weights and card.

    The weights are those that answers need: neither the optimizer's nor chains of training
    examples. The folder is there whole or not at all, and takes the place of an older preset.

    Args:
      model: a built model, all of whose classes are Keras's or registered in the package "zoo".
      folder: its path; a new one, an empty one, or that of an older preset.
      card: what is told of the model, as JSON can hold it.
      run: the config of the run that trained it.
      dtype: of the file's matrices, "float16" or "float32"; vectors and numbers stay as they are,
        and so does what float16 cannot hold.

    Raises:
      UsageError: for a folder of something else or one that cannot be written to, classes that
        `from_preset` would refuse, or a card that JSON cannot hold.
    """
    check_choice("dtype", dtype, DTYPES)
    folder = pathlib.Path(folder)
    if folder.exists() and not _may_be_replaced(folder):
        raise UsageError(
            f"folder must be new, or that of an older preset alone; {str(folder)!r} is neither."
        )
    serialised = keras.saving.serialize_keras_object(model)
    for part in _dictionaries(serialised["config"]):  # of parts, which the model alone trains
        part.pop("compile_config", None)
    _check_classes(serialised, "model")
    try:
        config = json.dumps({"model": serialised, "run": run}, indent=1).encode()
        card = dict(card or {}) | {"zoo_version": version.VERSION}
        json.dumps(card)
    except (TypeError, ValueError) as error:
        raise UsageError(f"card and run must be what JSON can hold: {error}.") from None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=PARTIAL) as partial:
            written = pathlib.Path(partial) / "preset"
            written.mkdir()
            weights = _packed(model, pathlib.Path(partial) / WEIGHTS, dtype)
            card["sha256"] = {CONFIG: digest(config), WEIGHTS: digest(weights)}
            told = json.dumps(card, indent=2) + "\n"
            for name, content in ((CONFIG, config), (WEIGHTS, weights), (CARD, told.encode())):
                with (written / name).open("wb") as file:
                    file.write(content)
                    os.fsync(file.fileno())
            if folder.exists():
                folder.rename(f"{partial}/older")
            written.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"folder: cannot write {str(folder)!r}: {reason}.") from error


def _packed(model, path, dtype):
    """The bytes of a compressed file of the weights that answers need, in the layout of Keras."""
    model.save_weights(path)
    packed = io.BytesIO()
    with h5py.File(path) as file, h5py.File(packed, "w", libver="latest") as small:
        for name, array in _arrays(file).items():
            value = array[()]
            if value.dtype == np.float32 and value.ndim > 1 and dtype == "float16":
                with np.errstate(over="ignore"):
                    halved = value.astype(np.float16)
                if np.isfinite(halved).all():
                    value = halved
            options = _COMPRESSED if value.ndim > 1 and value.size else {}
            small.create_dataset(name, data=value, **options)
    return packed.getvalue()


def _arrays(file):
    """The arrays of a file of weights but for those of training, by their paths, sorted."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset) and not {*name.split("/")} & {*_OF_TRAINING}:
            found[name] = item

    file.visititems(add)
    return found


def _check_classes(config, told):
    """Refuses a config that names code, as it stands, before Keras looks at it."""
    known = keras.saving.get_custom_objects()
    for part in _dictionaries(config):
        if "class_name" not in part:
            continue
        name, module, registered = (
            part.get(key) for key in ("class_name", "module", "registered_name")
        )
        is_ours = str(registered).startswith("zoo>") and registered in known
        is_keras = str(module).split(".")[0] == "keras" and registered in (None, name)
        is_function = (name, module) == ("function", "builtins")
        is_plain = name in _PLAIN and module is None
        if name in _RUN_CODE or not (is_ours or is_keras or is_function or is_plain):
            raise UsageError(
                f"{told} holds {'.'.join(map(str, filter(None, [module, name])))!r}; only classes "
                "of Keras that run no code of a file, and those that are registered in the package "
                "'zoo', may be in a preset."
            )


def _dictionaries(values) -> Iterator[dict]:
    """All dictionaries in nested ones and in lists."""
    if isinstance(values, dict):
        yield values
        values = values.values()
    elif not isinstance(values, list | tuple):
        return
    for value in list(values):
        yield from _dictionaries(value)


def _may_be_replaced(folder):
    return folder.is_dir() and all(path.name in FILES for path in folder.iterdir())
