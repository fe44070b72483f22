"""What docs/adding_a_method.md says is done: three files outside the repository, and no others."""

import importlib
import json
import re
import sys

import keras
import numpy as np
import pytest
from programs import ROOT, TINY, run_here

import zoo
from zoo.core import registry

PAGE = (ROOT / "docs" / "adding_a_method.md").read_text(encoding="utf-8")
NAME = "LangevinVAE"


def forget():
    """As in a new process: neither the package nor the class is known."""
    for module in [name for name in sys.modules if name.split(".")[0] == "mymethods"]:
        del sys.modules[module]
    registry._METHODS.pop(NAME, None)
    keras.saving.get_custom_objects().pop(f"zoo>{NAME}", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the package of the page, on the path of Python."""
    folder = tmp_path_factory.mktemp("outside")
    files = re.findall(
        r"^`(mymethods/\S+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE
    )
    listed = re.findall(r"^(mymethods/\S+\.py) ", PAGE, re.M)
    assert [name for name, _ in files] == listed and len(files) == 3
    for name, text in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    forget()


@pytest.mark.slow
def test_the_programs_train_and_ask_it(folder):
    config = "mymethods/configs/langevin_vae.py"
    result = run_here("train", f"--config={config}", *TINY, cwd=folder)
    assert result.returncode == 0, result.stderr
    workdir = folder / "runs" / "langevin_vae_digits"
    assert np.isfinite(json.loads((workdir / "evaluation.json").read_text())["log_likelihood"])
    forget()  # so that the work directory alone must tell where the class is
    flags = ["--num_samples=4", f"--workdir={workdir}"]
    result = run_here("sample", *flags, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert np.load(workdir / "samples.npz")["mean"].shape == (4, 8, 8, 1)
    model = zoo.load(str(workdir))
    assert type(model).__name__ == NAME and model.chain["num_steps"] == 10


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == "test_contract"))
        for name in re.findall(r"^def (test_\w+)\(\):", PAGE, re.M)
    ],
)
def test_its_own_tests_pass(folder, name):
    getattr(importlib.import_module("mymethods.tests.test_langevin_vae"), name)()
