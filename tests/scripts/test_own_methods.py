"""A method in a user's own file: every program knows it, and the run remembers where it is."""

import json
import sys

import keras
import pytest
from programs import TINY, run_here

import zoo
from zoo.core import registry
from zoo.runs import own_modules

SOURCE = """
import zoo
from {networks} import WIDTH

@zoo.register(tiny={{"hidden": (WIDTH,)}})
class OwnVAE(zoo.VAE):
    '''A method of one's own.'''
"""


def forget():
    """What a new process does not know."""
    own_modules._imported.clear()
    registry._METHODS.pop("OwnVAE", None)
    keras.saving.get_custom_objects().pop("zoo>OwnVAE", None)
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    forget()


def write(folder, module):
    """A module, in a package where it has a dot, and another that it imports."""
    *packages, name = module.split(".")
    place = folder.joinpath(*packages)
    place.mkdir(parents=True, exist_ok=True)
    (place / "own_networks.py").write_text("WIDTH = 3\n")
    networks = ".".join([*packages, "own_networks"])
    (place / f"{name}.py").write_text(SOURCE.format(networks=networks))


@pytest.mark.parametrize(
    ("module", "flag"),
    [
        ("own_method", "own_method"),
        ("own_method", "{folder}/own_method.py"),
        ("own_method", "own_method.py"),
        ("own_package.methods", "own_package.methods"),
    ],
)
def test_modules_and_files(module, flag, tmp_path, monkeypatch):
    write(tmp_path / "mine", module)
    monkeypatch.chdir(tmp_path / "mine")
    own_modules.import_own(flag.format(folder=tmp_path / "mine"))
    assert zoo.get_method("OwnVAE").__module__ == module
    assert own_modules.imported() == [{"module": module, "folder": str(tmp_path / "mine")}]


def test_every_program_knows_it(tmp_path):
    write(tmp_path, "own_method")
    run = tmp_path / "run"
    tiny = [*TINY, "--config.epochs=1", "--config.evaluation.num_images=5"]
    own = ["--import=own_method.py", "--config=vae", "--config.model.name=OwnVAE"]
    result = run_here("train", *own, *tiny, f"--workdir={run}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    notes = json.loads((run / "manifest.json").read_text())
    assert notes["imports"] == [{"module": "own_method", "folder": str(tmp_path)}]
    forget()
    assert type(zoo.load(run)).__name__ == "OwnVAE"
    for program in ("sample", "evaluate"):
        forget()
        result = run_here(program, f"--workdir={run}", cwd=tmp_path.parent)
        assert result.returncode == 0, result.stderr
    forget()
    sys.path.remove(str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    for file in tmp_path.glob("own_*.py"):
        file.rename(tmp_path / "elsewhere" / file.name)
    result = run_here("sample", f"--workdir={run}")
    assert result.returncode == 2
    assert f"No module named 'own_method'; the run in '{run}' was trained with it" in result.stderr
    moved = f"--import={tmp_path / 'elsewhere' / 'own_method.py'}"
    result = run_here("sample", f"--workdir={run}", moved)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("nowhere.py", "import: there is no file 'nowhere.py'."),
        ("own_nowhere", "import: 'own_nowhere' cannot be imported: No module named"),
        ("own_broken.py", "imported: ZeroDivisionError: division by zero (own_broken.py, line 1)."),
        (
            "own_exit.py",
            "'own_exit' cannot be imported: SystemExit: 3 (own_exit.py, line 2).",
        ),
        ("{folder}", "import must be a module's name, or the path of a .py file; it was '"),
        ("own_syntax", "import: 'own_syntax' cannot be imported: invalid syntax (own_syntax.py"),
        ("layers.py", "import: 'layers' is the name of '"),
        ("", "import: '' cannot be imported: ValueError: Empty module name."),
    ],
)
def test_mistakes(flag, message, tmp_path):
    (tmp_path / "own_broken.py").write_text("1 / 0")
    (tmp_path / "own_exit.py").write_text("import sys\nsys.exit(3)")
    (tmp_path / "own_syntax.py").write_text("def (")
    (tmp_path / "layers.py").write_text("")
    flag = flag.format(folder=tmp_path)
    result = run_here("sample", "--workdir=nowhere", f"--import={flag}", cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
