"""What holds for the repository as a whole."""

import ast
import configparser
import pathlib
import subprocess
import sys
import venv

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BELOW = {"layers": (), "samplers": (), "zoo": ("layers", "samplers")}


@pytest.mark.parametrize("room", BELOW)
def test_imports_run_down(room):
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                allowed = top == room or top in BELOW[room]
                assert allowed or top not in (*BELOW, "scripts", "tests"), f"{path}: {name}"


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


@pytest.mark.slow
def test_the_wheel_runs_the_main_job(tmp_path):
    """Built, installed into an empty environment, and used there through its command."""
    build = [sys.executable, "-m", "build", "--wheel", f"--outdir={tmp_path}", ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", wheel], check=True)

    def command(*arguments):
        zoo = [programs / "mcmc-zoo", *arguments]
        return subprocess.run(zoo, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    assert "inpaint" in command("--help")
    assert "nats per image" in command("train")
    workdir = "--workdir=runs/hmc_dlgm_digits"
    for program in ("sample", "inpaint", "export"):
        command(program, workdir)
    command("figures", workdir, "--figure=jacobian_spectrum")
    names = {path.name for path in (tmp_path / "runs" / "hmc_dlgm_digits").iterdir()}
    assert {"samples.npz", "inpainting_left.png", "export", "evaluation.json"} <= names
    assert (tmp_path / "figures" / "jacobian_spectrum.png").is_file()
