"""Folders of configs, one file a method: which there are, and what each can be asked for."""

import importlib.util
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from zoo.core.checks import UsageError, check_choice
from zoo.runs import own_code
from zoo.runs.config import choose


class ConfigFile(NamedTuple):
    """A Python file with a function `get_config`.

    Attributes:
      path: of the file.
      title: the first line of its docstring.
      choices: its `CHOICES`, the presets of each data set by its name, of which the first is the
        default; None if it has none, and `get_config` reads for itself what stands behind its name.
    """

    path: pathlib.Path
    title: str
    choices: dict[str, Sequence[str]] | None

    @property
    def name(self) -> str:
        """What `--config` calls it."""
        return self.path.stem


def read_config_file(path: pathlib.Path) -> ConfigFile:
    """What a config file says of itself; it is run.

    Raises:
      UsageError: for a file that is none of Python, or has no `get_config`.
    """
    if path.suffix != ".py":
        raise UsageError(f"config: {str(path)!r} is no Python file.")
    spec = importlib.util.spec_from_file_location(f"{path.stem}_config", path)
    module = importlib.util.module_from_spec(spec)
    with own_code.told(f"config: {str(path)!r} cannot be run", path.parent):
        spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise UsageError(f"config: {str(path)!r} must define a function get_config; it does not.")
    title = (module.__doc__ or "").strip().partition("\n")[0]
    return ConfigFile(path, title, getattr(module, "CHOICES", None))


def config_files(folders: Sequence[pathlib.Path]) -> list[ConfigFile]:
    """All configs of some folders, by name; files that begin with an underscore are no configs.

    Args:
      folders: of which the first that has a name wins.

    Returns:
      What each says of itself.
    """
    paths = _by_name(folders)
    return [read_config_file(paths[name]) for name in sorted(paths)]


def find_config(value: str, folders: Sequence[pathlib.Path]) -> tuple[ConfigFile, str]:
    """The config that the flag `--config` asks for: NAME, NAME:DATA, NAME:DATA:PRESET.

    Args:
      value: of the flag; NAME is of a file in one of the folders, or the path of any other.
      folders: of configs.

    Returns:
      The config, and what its `get_config` is given, the default data set written out.

    Raises:
      UsageError: for an unknown config, data set or preset, naming the nearest; or for a name of an
        earlier version, naming what replaced it.
    """
    name, colon, choice = value.partition(":")
    path, paths = pathlib.Path(name), _by_name(folders)
    if not path.is_file():
        known = {path.parent for path in paths.values()}
        if path.parent != pathlib.Path(".") and path.parent.resolve() not in known:
            raise UsageError(f"config: there is no file {name!r}.")
        if path.stem not in paths:
            _check_older_name(path.stem, colon + choice, paths)
        path = paths[check_choice("config", path.stem, paths)]
    config = read_config_file(path)
    if config.choices is None:
        return config, choice
    data, preset = choose(choice, config.choices)
    return config, f"{data}:{preset}" if ":" in choice else data


def _by_name(folders):
    return {
        path.stem: path
        for folder in reversed(folders)
        for path in pathlib.Path(folder).resolve().glob("[!_]*.py")
    }


def _check_older_name(name, rest, paths):
    """Refuses a name of version 0.1.0, which had a config for each pair METHOD_DATA."""
    for method, path in paths.items():
        data = name.removeprefix(f"{method}_")
        if data != name and data in (read_config_file(path).choices or ()):
            raise UsageError(f"config: {name + rest!r} is now {f'{method}:{data}{rest}'!r}.")
