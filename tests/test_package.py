"""What holds for the repository as a whole."""

import ast
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv

import pytest

from zoo.core.version import VERSION

ROOT = pathlib.Path(__file__).parents[1]
# From the top down: a room imports those that stand after it, and itself.
ROOMS = (
    "zoo.runs",
    "zoo.analysis",
    "zoo.serving",
    "zoo.scores",
    "zoo.models",
    "zoo.parts",
    "zoo.data",
    "zoo.core",
    "layers",
    "samplers",
)
APART = {"layers", "samplers"}  # which know nothing of each other
MOST_LINES = 350


def imports(path):
    """The modules that a file imports, by their full names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_down(room):
    below = {room, *ROOMS[ROOMS.index(room) + 1 :]}
    below -= APART - {room} if room in APART else set()
    files = [*(ROOT / room.replace(".", "/")).rglob("*.py")]
    assert files
    for path in files:
        for name in imports(path):
            top = name.split(".")[0]
            if top in ("tests", "scripts") or name.startswith("zoo.scripts"):
                raise AssertionError(f"{path} imports {name}, which stands above it")
            if top in ("zoo", *APART):
                found = ".".join(name.split(".")[: 2 if top == "zoo" else 1])
                assert found in below, f"{path} imports {name}, which stands above it"


def test_models_import_models_to_subclass_them():
    """Or to share a function or a paper of the base that they are."""
    for path in (ROOT / "zoo/models").glob("[!_]*.py"):
        tree = ast.parse(path.read_text())
        bases = {
            base.id
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for base in node.bases
            if isinstance(base, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("zoo.models."):
                module = ROOT / f"{node.module.replace('.', '/')}.py"
                named = {alias.name for alias in node.names}
                is_base = module.stem in ("deep_latent", "binary_latent")
                is_paper = all(name.isupper() for name in named)
                assert is_base or is_paper or named & bases, f"{path} imports {node.module}"


def test_files_are_short():
    for folder in ("layers", "samplers", "zoo", "scripts", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            size = len(path.read_text().splitlines())
            assert size <= MOST_LINES, f"{path} has {size} lines"


def test_abilities_alone_decide_what_a_model_can_do():
    for folder in ("zoo", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            found = re.search(r"isinstance\(.*Posterior|hasattr\(model", path.read_text())
            assert not found, f"{path}: {found.group()}"


def test_every_package_is_named():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = setup["options"]["packages"].split()
    found = [
        ".".join(file.parent.relative_to(ROOT).parts)
        for room in ("zoo", "layers", "samplers", "scripts")
        for file in ROOT.glob(f"{room}/**/__init__.py")
    ]
    assert sorted(named) == sorted(name.replace("scripts", "zoo.scripts") for name in found)


def test_the_version_is_the_same_everywhere():
    """In the package, the citation, the changelog, and the tags of this commit, if it has any."""
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.MULTILINE)[1] == VERSION
    if (ROOT / ".git").exists() and shutil.which("git"):
        tagged = ["git", "tag", "--points-at", "HEAD", "--list", "v*"]
        tags = subprocess.run(tagged, cwd=ROOT, capture_output=True, text=True).stdout.split()
        assert set(tags) <= {f"v{VERSION}"}


@pytest.mark.slow
def test_types_of_public_names():
    mypy = [sys.executable, "-m", "mypy"]
    result = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True)
    if "No module named mypy" in result.stderr:
        pytest.skip("needs pip install 'mcmc-zoo[types]'")
    assert result.returncode == 0, result.stdout


def installed(kind, tmp_path):
    """The command of a build that was installed into an empty environment."""
    build = [sys.executable, "-m", "build", f"--{kind}", f"--outdir={tmp_path}", ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = tmp_path.glob("mcmc_zoo-*")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    empty = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([programs / "pip", "install", "--quiet", built], check=True, env=empty)

    def command(*arguments):
        zoo = [programs / "mcmc-zoo", *arguments]
        options = {"check": True, "capture_output": True, "text": True, "cwd": tmp_path}
        return subprocess.run(zoo, **options, env=empty).stdout

    return command


@pytest.mark.slow
def test_the_sdist_answers(tmp_path):
    command = installed("sdist", tmp_path)
    assert "inpaint" in command("--help")
    command("sample", "--preset=vae_digits")
    command("export", "--preset=vae_digits", "--format=litert")
    run = tmp_path / "runs" / "presets" / "vae_digits"
    assert (run / "samples.png").is_file() and (run / "litert" / "decode.tflite").is_file()
    (package,) = tmp_path.glob("venv/lib/python*/site-packages")
    for name in ("zoo/py.typed", "zoo/__init__.pyi", "samplers/py.typed", "layers/py.typed"):
        assert (package / name).is_file(), name
    assert (package / "zoo" / "serving" / "operators.onnxtxt").is_file()


@pytest.mark.slow
def test_the_wheel_runs_the_main_job(tmp_path):
    command = installed("wheel", tmp_path)
    assert "inpaint" in command("--help")
    assert "nats per example" in command("train")
    workdir = "--workdir=runs/hmc_dlgm_digits"
    for program in ("sample", "inpaint", "export"):
        command(program, workdir)
    command("figures", workdir, "--figure=jacobian_spectrum")
    names = {path.name for path in (tmp_path / "runs" / "hmc_dlgm_digits").iterdir()}
    assert {"samples.npz", "inpainting_left.png", "export", "evaluation.json"} <= names
    assert (tmp_path / "figures" / "jacobian_spectrum.png").is_file()
    command("sample", "--preset=vae_digits")
    assert (tmp_path / "runs" / "presets" / "vae_digits" / "samples.png").is_file()
