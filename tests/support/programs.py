"""What the programs in `scripts/` are run with: small configs, and the runs that they leave."""

import runpy

from running import ROOT, run, run_here  # noqa: F401 (for tests)
from training import assert_equal, weights

import zoo
from zoo.runs import workdir, writers
from zoo.runs.build import build
from zoo.runs.config_files import find_config
from zoo.runs.defaults import resolve
from zoo.runs.run import Run
from zoo.scripts.configs import _hoffman

TINY = [
    "--config.epochs=2",
    "--config.save_freq=1",
    "--config.validation_freq=1",
    "--config.steps_per_execution=1",
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
    made = Run(str(path), resolve(config), path.name)
    workdir.start_run(path, made.config)
    if data or model:
        made.model = model or build(made.config, data)
        writers.write_model(made)
    workdir.finish_run(path)
    return made


class Killed(BaseException):
    """In place of a signal that nothing catches."""


def assert_same_run(one, other):
    """Weights, and metrics epoch by epoch; and nothing is left to go on with."""
    assert_equal(*(weights(zoo.load(str(workdir))) for workdir in (one, other)))
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
    assert {p.name for p in one.iterdir()} == {p.name for p in other.iterdir()}
