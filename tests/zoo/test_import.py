"""`import zoo` loads nothing that is slow, and Keras knows the classes all the same."""

import os
import pathlib
import subprocess
import sys

import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]


def run(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_names_are_there_when_they_are_asked_for():
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None and name in dir(zoo), name
    assert {"VAE", "HMCDLGM", "load", "export", "parts", "register"} <= set(zoo.__all__)
    assert zoo.VAE is zoo.models.VAE and zoo.__version__ == zoo.VERSION
    found = {}
    exec("from zoo import *", found)
    assert found["VAE"] is zoo.VAE
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute '__wrapped__'"):
        zoo.__wrapped__  # noqa: B018


def test_what_is_light():
    """Beside the standard library nothing is imported, nor NumPy for the version."""
    code = """
import sys
import zoo
slow = "numpy absl ml_collections keras tensorflow tensorflow_probability layers samplers".split()
assert not {*slow} & {*sys.modules}, sys.modules
assert not hasattr(zoo, "__wrapped__") and zoo.UsageError and zoo.__version__
assert not {*slow[1:]} & {*sys.modules}, sys.modules
"""
    run(code)


# The zoo before Keras, and then, as if it had not been imported, Keras before the zoo.
BOTH_ORDERS = """
import sys
import zoo
import keras

def load():
    assert type(keras.saving.load_model(sys.argv[1])).__name__ == "VAE"

load()
classes = keras.saving.get_custom_objects()
for name in [name for name in classes if name.startswith("zoo>")]:
    del classes[name]
for name in [name for name in sys.modules if name.split(".")[0] in ("zoo", "layers", "samplers")]:
    del sys.modules[name]
import zoo
load()
"""


def test_keras_loads_models_whichever_was_imported_first(tmp_path):
    model = zoo.VAE.for_data((2, 2, 1), latent_dim=1, hidden=(2,))
    model.save(tmp_path / "model.keras")
    run(BOTH_ORDERS, tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("first", ["zoo.core.networks", "zoo.parts", "layers", "zoo.runs.run"])
def test_any_module_can_be_the_first(first):
    """In a process that has Keras already every module was; here Keras comes after the zoo."""
    run(f"import zoo, {first}; assert zoo.get_method('VAE') is zoo.VAE")
