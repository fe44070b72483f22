"""What the absl programs in `scripts/` share: flags, and one clear line for a user's mistake."""

import pathlib
import sys
from collections.abc import Callable

from absl import app, flags, logging
from ml_collections import config_flags

from zoo.core.checks import UsageError, check_choice
from zoo.runs.strategies import STRATEGIES

# Flags defined here belong to the program that asks for them, so that its --help shows them.
flags.disclaim_key_flags()


def define_config(configs: pathlib.Path, default: str) -> flags.FlagHolder:
    """Defines `--config`, a file of `configs` by name or any file by path, locked."""
    _configs.append((configs, default))
    # No default here: overrides would be held against it, whichever config is asked for.
    return config_flags.DEFINE_config_file(
        "config",
        None,
        f"A Python file with get_config(), or one of: {', '.join(_names(configs))}; "
        f"{default} by default. NAME:PRESET is one of its presets, if it has some, such as "
        "hmc_dlgm_mnist:small. It is run, so trust it like any code. "
        "Change a value by --config.KEY=VALUE.",
    )


def define_workdir() -> flags.FlagHolder:
    """Defines `--workdir`, of a finished run."""
    return flags.DEFINE_string(
        "workdir", None, "A work directory that the program `train` wrote.", required=True
    )


def define_strategy() -> flags.FlagHolder:
    """Defines `--strategy`."""
    return flags.DEFINE_enum(
        "strategy",
        "none",
        STRATEGIES,
        "How training spreads: not, over this machine's GPUs, or over the machines of TF_CONFIG.",
    )


def run(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main()`; a user's mistake ends in one line and exit status 2."""
    app.run(lambda _: _told(main), flags_parser=lambda argv: _told(lambda: _parse(argv)))


_configs: list[tuple[pathlib.Path, str]] = []


def _names(configs):
    return sorted(path.stem for path in configs.glob("[!_]*.py"))


def _parse(argv):
    try:
        rest = flags.FLAGS(_with_config_path(argv))
    except UsageError:
        raise
    except flags.Error as error:
        # A config file that fails comes with its traceback, and the reason last.
        told, trace, _ = str(error).partition("\n\nTraceback")
        reason = str(error).strip().splitlines()[-1].removeprefix("zoo.core.checks.UsageError: ")
        raise UsageError(f"config: {reason}" if trace else told) from None
    except Exception as error:  # a config file is the user's code, and may raise anything
        reason = _last_words(error) or type(error).__name__
        if reason.isidentifier():  # of an override
            reason = f"there is no {reason!r} in it to be changed."
        raise UsageError(f"config: {reason}") from None
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # what TensorFlow tells below it is not for users
    if len(rest) > 1:
        raise UsageError(f"arguments must be flags like --name=value; {rest[1]!r} is not one.")
    return rest


def _with_config_path(argv):
    """The arguments, with the path of the config in place of its name, or of no config at all."""
    if not _configs:
        return argv
    configs, value = _configs[0]
    rest, arguments = [], iter(argv[1:])
    for argument in arguments:
        flag, equals, given = argument.partition("=")
        if flag not in ("--config", "-config"):
            rest.append(argument)
        else:
            value = given if equals else next(arguments, "")
    value, colon, preset = value.partition(":")
    path = pathlib.Path(value)
    if not path.is_file():
        if path.parent != pathlib.Path(".") and path.parent.resolve() != configs.resolve():
            raise UsageError(f"config: there is no file {value!r}.")
        value = configs / f"{check_choice('config', path.stem, _names(configs))}.py"
    return [argv[0], f"--config={value}{colon}{preset}", *rest]


def _last_words(error):
    text = str(error).replace("\\n", "\n").replace("\\'", "'").strip("\"' \n")
    return " ".join(text.split())


def _told(function):
    try:
        return function()
    except (UsageError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:  # such as a full disk
        of = "" if error.filename is None else f" {str(error.filename)!r}"
        print(f"error: cannot read or write{of}: {error.strerror or error}.", file=sys.stderr)
    sys.exit(2)
