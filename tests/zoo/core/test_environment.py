"""Where another package hides one of the zoo's, or Keras runs on another backend, one line says so.

No process gets as far as TensorFlow, which makes this fast.
"""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
CASES = [
    ("layers/__init__.py", {}, "layers: '{}/layers' hides the package of this name"),
    ("samplers/__init__.py", {}, "samplers: '{}/samplers' hides the package of this name"),
    ("samplers.py", {}, "samplers: '{}/samplers.py' hides the package of this name"),
    ("other.py", {"KERAS_BACKEND": "jax"}, "KERAS_BACKEND must be 'tensorflow'.*it was 'jax'"),
    ("other.py", {"KERAS_BACKEND": "torch"}, "KERAS_BACKEND must be 'tensorflow'.*it was 'torch'"),
    ("keras.json", {"KERAS_HOME": "{}"}, "KERAS_BACKEND must be 'tensorflow'.*it was 'jax'"),
]


@pytest.mark.parametrize(("file", "environment", "message"), CASES)
def test_what_hides_a_package_is_told(tmp_path, file, environment, message):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"backend": "jax"}' if file == "keras.json" else "")
    (tmp_path / "script.py").write_text("import zoo\n")
    told = {name: value.format(tmp_path) for name, value in environment.items()}
    assert_refused(tmp_path / "script.py", told, message.format(tmp_path))


def test_programs_look_before_they_import_keras():
    message = "KERAS_BACKEND must be 'tensorflow'.*it was 'jax'"
    assert_refused(ROOT / "scripts" / "train.py", {"KERAS_BACKEND": "jax"}, message)


def assert_refused(script, told, message):
    cleared = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")}
    result = subprocess.run(
        [sys.executable, script],
        env=cleared | {"PYTHONPATH": str(ROOT)} | told,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    for part in message.split(".*"):
        assert part in last
