"""The trained run, to be changed."""

import shutil

import pytest


@pytest.fixture
def workdir(trained, tmp_path):
    """A copy of the trained run's work directory."""
    return shutil.copytree(trained[0], tmp_path / "run")
