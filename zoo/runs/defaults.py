"""Configs resolved: every argument that a config leaves out, at its default."""

import ast
import dataclasses
import inspect
import pathlib
import textwrap
import typing
from collections.abc import Callable, Iterable

import keras
import ml_collections

from zoo import data, scores
from zoo.core.annealing import Annealing
from zoo.core.checks import check_choice
from zoo.core.registry import get_method
from zoo.runs.optimizers import OPTIMIZERS, make_optimizer


def resolve(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A config that says everything: with every default, and with absolute paths.

    Networks and other objects are left out, which a config cannot hold, and so are arguments that
    a method fixes.

    Args:
      config: as `check_config` returns it.

    Returns:
      Another config. The same run follows from both.

    Raises:
      UsageError: for an unknown method or optimizer.
    """
    given = config.to_dict()
    optimizer = getattr(
        keras.optimizers, check_choice("optimizer", config.optimizer.name, OPTIMIZERS)
    )
    loading = _defaults([data.load], but=("seed", "verbose"))
    reader = data.reader_of(str(given["data"].get("source", loading["source"])))
    defaults = {
        "data": loading | _defaults([reader], but=("verbose",)),
        "model": method_defaults(get_method(config.model.name)),
        "optimizer": _defaults([optimizer.__init__], but=("name",))
        | _defaults([make_optimizer], but=("name",)),
        "evaluation": {f.name: f.default for f in dataclasses.fields(Annealing)}
        | _defaults([scores.report], but=("seed", "verbose")),
    }
    resolved = {
        key: defaults[key] | value if key in defaults else value for key, value in given.items()
    }
    resolved["data"]["source"] = data.absolute_source(resolved["data"]["source"])
    for name in model_arguments(get_method(config.model.name)):
        if isinstance(resolved["model"].get(name), str):
            resolved["model"][name] = _absolute(resolved["model"][name])
    if resolved["data"]["data_dir"] is not None:
        resolved["data"]["data_dir"] = _absolute(resolved["data"]["data_dir"])
    return ml_collections.ConfigDict(resolved)


def method_defaults(method: type) -> dict:
    """Defaults of what a method's `for_data` takes, and of the constructors that it passes it to.

    Returns:
      A plain value for each argument, by name.
    """
    own = method.__mro__[: method.__mro__.index(keras.Model)]
    makers = [vars(cls)["for_data"].__func__ for cls in own if "for_data" in vars(cls)]
    constructors = [vars(cls)["__init__"] for cls in own if "__init__" in vars(cls)]
    return _defaults(constructors, but=("seed",)) | _defaults(makers, but=("seed",))


def model_arguments(method: type) -> set[str]:
    """Names of the arguments of a method's `for_data` that may be models, such as trained parts."""
    parameters = inspect.signature(method.for_data).parameters.values()
    kinds = {p.name: typing.get_args(p.annotation) or [p.annotation] for p in parameters}
    return {name for name, kind in kinds.items() if keras.Model in kind}


def _defaults(functions: Iterable[Callable], but: tuple[str, ...]) -> dict:
    """Defaults of a function's arguments, and of those that each passes on to the next."""
    found, known = {}, set(but)
    for function in functions:
        parameters = inspect.signature(function).parameters
        for name, parameter in parameters.items():
            if name not in known and _is_plain(parameter):
                found[name] = parameter.default
        given = _given_to_the_next(function)
        if given is None:
            break
        known |= {*parameters, *given}
    return found


def _given_to_the_next(function) -> set[str] | None:
    """Names of what a method gives itself to the same method of the next class.

    Returns:
      The names; None if it does not pass on what else it takes.
    """
    parameters = inspect.signature(function).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    try:
        source = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:  # of what was typed into a shell
        return set()
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"super().{function.__name__}":
            return {keyword.arg for keyword in node.keywords}
    return None


def _is_plain(parameter) -> bool:
    """Whether an argument has a default that a file can hold, and is not a network left out."""
    default = parameter.default
    if default is None:
        kinds = typing.get_args(parameter.annotation) or [parameter.annotation]
        networks = any(isinstance(k, type) and issubclass(k, keras.layers.Layer) for k in kinds)
        return not networks or dict in kinds
    parts = default if isinstance(default, list | tuple) else [default]
    return all(isinstance(part, bool | int | float | str) for part in parts)


def _absolute(path):
    if "://" in str(path):  # such as of a bucket, gs://
        return str(path)
    return str(pathlib.Path(path).expanduser().resolve())
