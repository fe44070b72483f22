"""The programs as a user runs them: a small experiment, and mistakes that end in one clear line."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
    "--config.epochs=2",
    "--config.jit_compile=False",
    "--config.model.hidden=(8,)",
    "--config.model.latent_dim=2",
] + [
    f"--config.evaluation.{key}={value}"
    for key, value in {
        "num_chains": 2,
        "num_increments": 4,
        "num_leapfrog_steps": 1,
        "num_simulated": 5,
    }.items()
]


def run(script, *arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{script}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def workdirs(tmp_path_factory):
    """Runs of both configs."""
    folder = tmp_path_factory.mktemp("runs")
    for config in ("hmc_dlgm_digits", "vae_digits"):
        result = run(
            "train", f"--config=scripts/configs/{config}.py", *TINY, f"--workdir={folder / config}"
        )
        assert result.returncode == 0, result.stderr
        assert "log_likelihood" in result.stdout and "nats per image" in result.stdout
    return folder


@pytest.mark.parametrize("config", ["hmc_dlgm_digits", "vae_digits"])
def test_train_leaves_a_work_directory(workdirs, config):
    workdir = workdirs / config
    assert {p.name for p in workdir.iterdir()} == {
        "config.json",
        "model.keras",
        "metrics.csv",
        "evaluation.json",
        "log_likelihood.csv",
        "samples.png",
        "reconstructions.png",
        "inpainting.png",
    }
    assert json.loads((workdir / "config.json").read_text())["model"]["latent_dim"] == 2
    figures = json.loads((workdir / "evaluation.json").read_text())
    assert (figures["accept_rate"] is None) == (config == "vae_digits")
    assert np.isfinite(figures["log_likelihood"])
    rows = (workdir / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3 and "val_bound" in rows[0]
    model = zoo.load(str(workdir))
    assert model.optimizer.iterations == 50
    for name in ("samples", "reconstructions", "inpainting"):
        picture = keras.utils.img_to_array(keras.utils.load_img(workdir / f"{name}.png"))
        assert picture.std() > (5 if name == "samples" else 50), name


def test_evaluate_and_compare(workdirs):
    flags = ["--num_chains=2", "--num_increments=3", "--num_simulated=4", "--num_images=20"]
    for config in ("hmc_dlgm_digits", "vae_digits"):
        result = run("evaluate", f"--workdir={workdirs / config}", *flags)
        assert result.returncode == 0, result.stderr
    result = run(
        "evaluate",
        f"--workdir={workdirs / 'hmc_dlgm_digits'}",
        f"--against={workdirs / 'vae_digits'}",
    )
    assert result.returncode == 0 and "difference, paired by image" in result.stdout


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "train",
            ["--config=scripts/configs/vae_digit.py"],
            "config: unknown value 'vae_digit'; did you mean 'vae_digits'",
        ),
        (
            "train",
            ["--config=no/such/place/vae_digits.py"],
            "config: there is no file 'no/such/place/vae_digits.py'",
        ),
        ("train", ["--config.model.name=VEA"], "model: unknown value 'VEA'; did you mean 'VAE'?"),
        (
            "train",
            ["--config.data.source=digit"],
            "data: unknown value 'digit'; did you mean 'digits'?",
        ),
        ("train", ["--config.model.num_stepz=3"], "num_stepz"),
        ("train", ["--config.model.num_steps=0"], "num_steps must be greater than 0; it was 0"),
        ("train", ["--config.epochs=0"], "epochs must be greater than 0; it was 0"),
        ("train", ["--config.epochs=many"], "epochs"),
        ("train", ["--config.optimizer.name=Adm"], "optimizer: unknown value 'Adm'; did you mean"),
        ("train", ["--epoch=3"], "Unknown command line flag 'epoch'"),
        ("train", ["config.epochs=3"], "'config.epochs=3' is not one"),
        ("train", ["--workdir=/proc/nowhere"], "workdir: cannot write to '/proc/nowhere'"),
        ("train", ["--strategy=many"], "strategy"),
        ("evaluate", [], "workdir must be given"),
        ("evaluate", ["--workdir=nowhere"], "workdir: cannot read 'nowhere/config.json'"),
        ("evaluate", ["--workdir=.", "--against=."], "workdir: '.' has no evaluation to read"),
    ],
)
def test_mistakes_end_in_one_line(script, arguments, message, tmp_path):
    arguments = [a.replace("scripts/", f"{ROOT}/scripts/") for a in arguments]
    result = run(script, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
