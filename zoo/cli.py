"""What the absl programs in `scripts/` share: flags, and one clear line for a user's mistake."""

import pathlib
import sys
from collections.abc import Callable

import tensorflow as tf
from absl import app, flags
from ml_collections import config_flags

from zoo.checks import UsageError, check_choice

STRATEGIES = ("none", "mirrored")


def define_config(configs: pathlib.Path, default: str) -> flags.FlagHolder:
    """Defines `--config`, a file of `configs` by name or any file by path, locked."""
    _configs.append(configs)
    return config_flags.DEFINE_config_file(
        "config",
        str(configs / f"{default}.py"),
        f"A Python file with get_config(), or one of: {', '.join(_names(configs))}. "
        "It is run, so trust it like any code. Change a value by --config.KEY=VALUE.",
    )


def define_strategy() -> flags.FlagHolder:
    """Defines `--strategy`."""
    return flags.DEFINE_enum(
        "strategy", "none", STRATEGIES, "How training spreads: not, or over this machine's GPUs."
    )


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of that name."""
    return tf.distribute.MirroredStrategy() if name == "mirrored" else tf.distribute.get_strategy()


def run(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main()`; a user's mistake ends in one line and exit status 2."""
    app.run(lambda _: _told(main), flags_parser=lambda argv: _told(lambda: _parse(argv)))


_configs: list[pathlib.Path] = []


def _names(configs):
    return sorted(path.stem for path in configs.glob("*.py"))


def _parse(argv):
    argv = list(argv)
    for k, argument in enumerate(argv):
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-config") and equals and not pathlib.Path(value).is_file():
            name = pathlib.Path(value).stem
            argv[k] = (
                f"--config={_configs[0] / check_choice('config', name, _names(_configs[0]))}.py"
            )
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        raise UsageError(str(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"config: {str(error).strip().splitlines()[-1]}") from None
    if len(rest) > 1:
        raise UsageError(f"arguments must be flags like --name=value; {rest[1]!r} is not one.")
    return rest


def _told(function):
    try:
        return function()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
