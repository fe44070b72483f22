"""The flag `--config`, by which everything can be changed that a config may say."""

import pathlib
import re
import runpy
import sys

import ml_collections
from absl import flags
from ml_collections import config_dict, config_flags
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from zoo.core.checks import UsageError, unknown_choice
from zoo.runs import own_code
from zoo.runs.config import check_config

# Flags defined here belong to the program that asks for them, so that its --help shows them.
flags.disclaim_key_flags()

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]+)(?:=(.*))?", re.DOTALL)


def define_config_flag(help_string: str) -> flags.FlagHolder:
    """Defines the flag; its value is a config with every default, which overrides then change.

    Args:
      help_string: of the flag.

    Returns:
      The flag.
    """
    # No default: overrides would be held against it, whichever config is asked for.
    holder = config_flags.DEFINE_config_file("config", None, help_string)
    flags.FLAGS["config"].parser = CompleteConfigParser("config", lock_config=False)
    return holder


class CompleteConfigParser(ConfigFileFlagParser):
    """Runs a config file, as `ml_collections` does, and adds what its config leaves out.

    Attributes:
      refused: the error that ended it, which absl tells otherwise.
    """

    refused: UsageError | None = None

    def parse(self, path):
        self.refused = None
        file, colon, choice = path.partition(":")
        try:
            with own_code.told(f"config: {file!r} cannot be run", pathlib.Path(file).parent):
                config = runpy.run_path(file)["get_config"](*([choice] if colon else []))
            return complete(config, given_overrides(sys.argv)).lock()
        except UsageError as error:
            self.refused = error
            raise


def given_overrides(argv: list[str]) -> dict[str, str | None]:
    """Which keys of a config are changed by arguments `--config.KEY=VALUE`, and by which words."""
    found = {}
    for argument, following in zip(argv, [*argv[1:], ""], strict=True):
        if match := _OVERRIDE.fullmatch(argument):
            found[match[1]] = following if match[2] is None else match[2]
    return found


def complete(
    config: ml_collections.ConfigDict, overrides: dict[str, str | None]
) -> ml_collections.ConfigDict:
    """A config with every default, of the method and of the optimizer that overrides name.

    Args:
      config: as a config file gives it.
      overrides: what will be changed: keys with dots, such as "model.trajectory" or, of a part that
        is told by its name alone, "model.likelihood.scale".

    Returns:
      Another config, in which those keys are.

    Raises:
      UsageError: for an unknown method, optimizer or key, naming the nearest.
    """
    from zoo.runs.defaults import resolve  # with TensorFlow, which help must do without

    config = ml_collections.ConfigDict(check_config(config).to_dict())
    for section in ("model", "optimizer"):
        config[section].name = overrides.get(f"{section}.name") or config[section].name
    if overrides.get("data.source"):
        config.data.source = overrides["data.source"]  # which may take other arguments
    values = resolve(config).to_dict()
    for key in overrides:
        _make_way(values, key.partition("[")[0])
    return ml_collections.ConfigDict(_changeable(values))


def _make_way(values, key):
    """Lets a key be there, of a part that is told by its name alone, too; refuses another one."""
    *sections, name = key.split(".")
    found = values
    for depth, section in enumerate(sections):
        part = sections[0] == "model" and depth == 1
        if part and section in found and isinstance(found[section], str | None):
            found[section] = {"name": found[section]} if found[section] else {}
        found = found.get(section)
        if not isinstance(found, dict):
            raise _unknown(key, values)
    if name not in found:
        if not (sections[:1] == ["model"] and len(sections) == 2):  # where the part knows more
            raise _unknown(key, values)
        found[name] = None
    elif sections == ["model"] and isinstance(found[name], dict):
        found[name] = None  # a part that is told in another way


def _unknown(key, values):
    keys = [
        f"{section}.{name}" if isinstance(inner, dict) else section
        for section, inner in values.items()
        for name in (inner if isinstance(inner, dict) else [""])
    ]
    return unknown_choice("config", key, keys, f"its sections are {', '.join(sorted(values))}.")


def _changeable(values):
    """The same values, of which None may become anything."""
    if isinstance(values, dict):
        return {name: _changeable(value) for name, value in values.items()}
    return config_dict.placeholder(object) if values is None else values
