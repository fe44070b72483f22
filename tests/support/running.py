"""The programs in `scripts/`, run as a user does, or inside this process, which is quicker."""

import contextlib
import io
import os
import pathlib
import runpy
import subprocess
import sys
from typing import NamedTuple
from unittest import mock

from absl import app, flags

from zoo.runs import cli

ROOT = pathlib.Path(__file__).parents[2]


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(script, *arguments, cwd=ROOT):
    """As a process of its own."""
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{script}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


def run_here(script, *arguments, cwd=ROOT):
    """In this process, whose flags are as before in the end."""
    path = str(ROOT / "scripts" / f"{script}.py")
    app.define_help_flags()  # once in a process, and to stay
    before, configs, folder = set(flags.FLAGS), list(cli._configs), os.getcwd()
    stdout, stderr = io.StringIO(), io.StringIO()
    try:
        os.chdir(cwd)
        with (
            mock.patch.object(sys, "argv", [path, *map(str, arguments)]),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            runpy.run_path(path, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        os.chdir(folder)
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
        cli._configs[:] = configs
        sys.modules.pop("config_config", None)  # of which a later config file would keep parts
        flags.FLAGS.unparse_flags()
    return Ended(status, stdout.getvalue(), stderr.getvalue())
