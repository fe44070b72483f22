"""What the absl programs in `scripts/` share: flags, and one clear line for a user's mistake."""

import os
import pathlib
import re
import shlex
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from absl import app, flags, logging

from zoo.core import signals
from zoo.core.checks import UsageError, unknown_choice
from zoo.core.choices import STRATEGIES
from zoo.core.presets import check_preset, preset_names
from zoo.runs.config_files import config_files, find_config
from zoo.runs.overrides import define_config_flag
from zoo.runs.own_modules import import_own

# Flags defined here belong to the program that asks for them, so that its --help shows them.
flags.disclaim_key_flags()


def define_config(folder: pathlib.Path, default: str) -> flags.FlagHolder:
    """Defines `--config`, NAME:DATA:PRESET of a config file in `folder` or elsewhere, locked.

    And `--list`, by which a program tells the configs and ends.

    Args:
      folder: of the configs that are known by name; `--config_folder` adds one of the user's.
      default: what is meant without the flag.

    Returns:
      The flag, whose value is the config.
    """
    _configs.append((folder, default))
    flags.DEFINE_string(
        "config_folder", None, "A folder of configs of your own, known by name beside the others."
    )
    flags.DEFINE_boolean("list", False, "Tells the configs, and does nothing else.")
    return define_config_flag(
        "NAME, NAME:DATA or NAME:DATA:PRESET, such as hmc_dlgm:mnist:small, where NAME is a method "
        f"that --list tells, or the path of a Python file with get_config(); {default} by default. "
        "It is run, so trust it like any code. Change a value by --config.KEY=VALUE."
    )


def config_name() -> str:
    """What the config that was asked for is called in the names of files: method_data_preset.

    Where `--config.data.source` gives other data than the config's, they are called by that.
    """
    flag = flags.FLAGS["config"]
    path, _, choice = flag.config_filename.partition(":")
    data, *preset = choice.split(":")
    if source := flag.override_values.get("data.source"):
        from zoo.data import source_name  # with TensorFlow

        data = source_name(source)
    return "_".join([pathlib.Path(path).stem, *filter(None, [data, *preset])])


def config_table() -> str:
    """The configs that are known by name, with their data sets and presets."""
    lines = []
    for config in config_files(_folders(flags.FLAGS.config_folder)):
        lines.append(f"{config.name:<26}{config.title}")
        for data, presets in (config.choices or {}).items():
            lines.append(f"    :{data:<21}{' '.join(f':{preset}' for preset in presets)}".rstrip())
    return "\n".join(lines)


class Workdir(NamedTuple):
    """The flags that tell of a finished run: its work directory, or a preset to make one of.

    Attributes:
      workdir: `--workdir`.
      preset: `--preset`.
    """

    workdir: flags.FlagHolder
    preset: flags.FlagHolder

    @property
    def value(self) -> str:
        """The path of the work directory, into which a preset is unpacked if it is not yet."""
        if self.preset.value is None:
            return self.workdir.value
        return _unpack()(self.preset.value, self.workdir.value)


def define_workdir() -> Workdir:
    """Defines `--workdir`, of a finished run, and `--preset`, which stands for one."""
    told = "A work directory that the program `train` wrote, or where the preset is unpacked."
    defined = Workdir(
        flags.DEFINE_string("workdir", None, told),
        define_preset("preset", "A trained model instead of a run, unpacked into runs/presets"),
    )
    flags.register_multi_flags_validator(
        ["workdir", "preset"], lambda given: any(v is not None for v in given.values()), _ONE_OF
    )
    return defined


def define_workdirs() -> Callable[[], list[str]]:
    """Defines `--workdir` and `--preset` of several finished runs, each a list.

    Returns:
      A function that returns the paths of all, of presets after those of runs.
    """
    workdirs = flags.DEFINE_list("workdir", [], "Work directories that the program `train` wrote.")
    presets = flags.DEFINE_list(
        "preset", [], "Trained models beside them, unpacked into runs/presets."
    )
    flags.register_validator("preset", lambda names: all(map(_is_preset, names)))
    return lambda: [*workdirs.value, *(_unpack()(name) for name in presets.value)]


def define_preset(flag: str, told: str) -> flags.FlagHolder:
    """Defines a flag that names a preset: NAME, a folder or hf://OWNER/NAME.

    Args:
      flag: its name.
      told: what the preset is for, the beginning of a sentence.
    """
    holder = flags.DEFINE_string(
        flag,
        None,
        f"{told}: one of {', '.join(preset_names())}, a folder of one, or hf://OWNER/NAME.",
    )
    flags.register_validator(flag, lambda name: name is None or _is_preset(name))
    return holder


def command() -> str:
    """The command that runs, as it was typed: a script of Python, or the one that is installed."""
    name = pathlib.Path(sys.orig_argv[1] if len(sys.orig_argv) > 1 else "").stem
    typed = ["mcmc-zoo", *sys.orig_argv[2:]] if name == "mcmc-zoo" else ["python", *sys.argv]
    return shlex.join(typed)


def define_strategy() -> flags.FlagHolder:
    """Defines `--strategy`."""
    return flags.DEFINE_enum(
        "strategy",
        "none",
        STRATEGIES,
        "How training spreads: not, over this machine's GPUs, or over the machines of TF_CONFIG.",
    )


def parse() -> None:
    """Reads the flags; a user's mistake ends in one line and exit status 2.

    A program calls this between the definitions of its flags and the imports that take seconds,
    those of TensorFlow: what is told of flags does not wait for them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    flags.DEFINE_multi_string(
        "import",
        [],
        "A module of yours, or the path of its file, that is imported before anything else, so "
        "that its methods are known; repeatable. A run remembers it. Trust it like any code.",
    )
    app.define_help_flags()
    with signals.raised():
        try:
            _told(lambda: _parse(sys.argv))
        except SystemExit as ended:  # 1 is absl's after --help, which was asked for
            sys.exit(0 if ended.code == 1 else ended.code)


def run(main: Callable[[], None]) -> None:
    """Runs `main()`, as `parse` in case of mistakes, which it calls if nobody has.

    Ctrl-C and SIGTERM end in one line, too, and status 130 and 143.
    """
    if not flags.FLAGS.is_parsed():
        parse()
    with signals.raised():
        app.run(lambda _: _told(main), flags_parser=_quietened)


_ONE_OF = "workdir or preset must be given; --help tells what they may be."


def _is_preset(name):
    check_preset(name)
    return True


def _unpack():
    from zoo.runs.unpacking import unpack  # with TensorFlow, once flags are read

    return unpack


_configs: list[tuple[pathlib.Path, str]] = []  # that this program takes by name: one, or none
_OF_CONFIG = re.compile(r"--?(?:no)?config(?:\.[^=]*)?(=.*)?", re.DOTALL)


def _quietened(argv):
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # what TensorFlow tells below it is not for users
    return argv


def _parse(argv):
    _, asked = _taken(argv, "import")
    for name in asked:
        import_own(name)
    if not _configs:
        return _set_flags(argv)
    rest, of_config = _parted(argv)
    _set_flags(rest)
    if flags.FLAGS.list:
        print(config_table())
        sys.exit()
    _, default = _configs[0]
    overrides, values = _taken(of_config, "config")
    config, choice = find_config((values or [default])[-1], _folders(flags.FLAGS.config_folder))
    path = f"--config={config.path}{choice and f':{choice}'}"
    _set_flags([argv[0], path, *overrides])  # last, since the defaults of a method need TensorFlow


def _set_flags(argv):
    try:
        rest = flags.FLAGS(argv)
    except UsageError:
        raise
    except flags.Error as error:
        if _configs and flags.FLAGS["config"].parser.refused:
            raise flags.FLAGS["config"].parser.refused from None
        raise UsageError(_of_flag(str(error))) from None
    except Exception as error:  # an override can make `ml_collections` raise anything
        raise UsageError(f"config: {_last_words(error) or type(error).__name__}") from None
    if len(rest) > 1:
        raise UsageError(f"arguments must be flags like --name=value; {rest[1]!r} is not one.")


def _parted(argv):
    """The other arguments, and those that speak of the config, `--config.KEY VALUE` among them."""
    rest, of_config, is_open = [], [], False
    for argument in argv:
        match = _OF_CONFIG.fullmatch(argument)
        is_value = is_open and not argument.startswith("--")
        (of_config if match or is_value else rest).append(argument)
        is_open = match is not None and match[1] is None
    return rest, of_config


def _folders(own):
    """The user's own folder of configs, if there is one, and the program's."""
    if own is not None and not pathlib.Path(own).is_dir():
        raise UsageError(f"config_folder: there is no folder {own!r}.")
    return [*([] if own is None else [own]), _configs[0][0]]


def _taken(argv, name):
    """The other arguments, and all values of a flag."""
    values, rest, arguments = [], [], iter(argv)
    for argument in arguments:
        flag, equals, given = argument.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            values.append(given if equals else next(arguments, ""))
        else:
            rest.append(argument)
    return rest, values


def _of_flag(text):
    """What absl says of a flag's value, in the words of all errors."""
    for reason, rule in _RULES.items():
        if match := re.fullmatch(f"flag --(.*?)=(.*): {reason}.*", text, re.DOTALL):
            return f"{match[1]} must be {rule}; it was {match[2]!r}."
    if match := re.fullmatch("flag --(.*?)=None: Flag .* must have a value .*", text, re.DOTALL):
        return f"{match[1]} must be given; --help tells what it may be."
    if match := re.fullmatch(r"flag --(.*?)=(.*): \2 is not (an? .*)", text):
        return f"{match[1]} must be {match[3]}; it was {match[2]!r}."
    if text.startswith("flags "):  # of several, whose values are told before a sentence of ours
        return text.rpartition(": ")[2]
    if match := re.match("Unknown command line flag '(.*?)'", text):
        hint = f" A value of the config is changed by --config.{match[1]}=VALUE." * bool(_configs)
        return f"{text.rstrip('.')}.{hint}"
    if match := re.fullmatch("flag --(.*?)=(.*): value should be one of <(.*)>", text, re.DOTALL):
        known = match[3].split("|")
        told = f"known are {', '.join(map(repr, known))}."
        return str(unknown_choice(match[1], match[2], known, told))
    return text


_RULES = {
    r"invalid literal for int\(\)": "a whole number",
    "could not convert string to float": "a number",
    r"\('Non-boolean argument to boolean flag": "True or False",
}


def _last_words(error):
    # Some errors show what they are told as Python would write it.
    text = str(error).replace("\\n", "\n").replace("\\'", "'")
    while text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        text = text[1:-1]
    return " ".join(text.split())


def _told(function):
    try:
        return function()
    except (UsageError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # of a reader that has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:  # such as a full disk
        of = "" if error.filename is None else f" {str(error.filename)!r}"
        print(f"error: cannot read or write{of}: {error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt as ended:
        kept = f": {ended}. To go on: {command()}" if str(ended) else "."
        print(f"interrupted{kept}", file=sys.stderr)
        sys.exit(128 + getattr(ended, "signum", signal.SIGINT))
    sys.exit(2)
