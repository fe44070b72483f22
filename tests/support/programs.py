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
from training import assert_equal, weights

import zoo
from zoo.runs import cli, workdir, writers
from zoo.runs.build import build
from zoo.runs.config_files import find_config
from zoo.runs.defaults import resolve
from zoo.runs.run import Run
from zoo.scripts.configs import _hoffman

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
    "--config.epochs=2",
    "--config.jit_compile=False",
    "--config.model.hidden=(8,)",
    "--config.model.latent_dim=2",
    "--config.evaluation.num_chains=2",
    "--config.evaluation.num_increments=4",
    "--config.evaluation.num_leapfrog_steps=1",
    "--config.evaluation.num_simulated=5",
    "--config.evaluation.num_importance_samples=20",
]


def digits_config(**model):
    """The config of a method with small networks on digits, which is not compiled."""
    config = _hoffman.config("digits", "", **{"latent_dim": 2, "hidden": (8,)} | model)
    config.jit_compile = False
    return config


def get_config(value):
    """What `--config=VALUE` asks for."""
    file, choice = find_config(value, [ROOT / "scripts" / "configs"])
    return runpy.run_path(str(file.path))["get_config"](choice)


def make_run(path, config, data=None, model=None):
    """A run that ended at once, as other programs read it: with a new model, or the one given."""
    run = Run(str(path), resolve(config), path.name)
    workdir.start_run(path, run.config)
    if data or model:
        run.model = model or build(run.config, data)
        writers.write_model(run)
    workdir.finish_run(path)
    return run


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


class Killed(BaseException):
    """In place of a signal that nothing catches."""


def assert_same_run(one, other):
    """Weights, and metrics epoch by epoch; and nothing is left to go on with."""
    assert_equal(*(weights(zoo.load(str(workdir))) for workdir in (one, other)))
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
    assert {p.name for p in one.iterdir()} == {p.name for p in other.iterdir()}
