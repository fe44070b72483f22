"""One trained work directory for the tests of all programs."""

import shutil

import pytest
from programs import TINY, run_here


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """What the program `train` left, which no test changes, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "hmc_dlgm_digits"
    result = run_here("train", "--config=hmc_dlgm", *TINY, f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    return workdir, result


@pytest.fixture
def workdir(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained[0], tmp_path / "run")
