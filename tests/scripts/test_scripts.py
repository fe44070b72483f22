"""The programs as a user runs them: a small experiment, and mistakes that end in one clear line."""

import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import ROOT, TINY, run, run_here

import zoo


@pytest.fixture(scope="module")
def workdirs(tmp_path_factory):
    """Runs of two configs."""
    folder = tmp_path_factory.mktemp("runs")
    for config, start in (("hmc_dlgm_digits", run), ("vae_digits", run_here)):
        path = f"scripts/configs/{config}.py"
        result = start("train", f"--config={path}", *TINY, f"--workdir={folder / config}")
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
        "tensorboard",
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
    flags = [
        "--num_chains=2",
        "--num_increments=3",
        "--num_simulated=4",
        "--num_importance_samples=8",
        "--num_images=20",
    ]
    for config in ("hmc_dlgm_digits", "vae_digits"):
        result = run_here("evaluate", f"--workdir={workdirs / config}", "--protocol=paper", *flags)
        assert result.returncode == 0, result.stderr
        told = json.loads((workdirs / config / "evaluation.json").read_text())["protocol"]
        assert told == "2 chains, 3 linear increments from the posterior, 10 leapfrog steps"
    result = run_here(
        "evaluate",
        f"--workdir={workdirs / 'hmc_dlgm_digits'}",
        f"--against={workdirs / 'vae_digits'}",
    )
    assert result.returncode == 0 and "difference, paired by image" in result.stdout


def test_tensorboard_has_scalars_and_pictures(workdirs):
    tags = set()
    for file in (workdirs / "hmc_dlgm_digits" / "tensorboard").rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            tags |= {value.tag for value in event.summary.value}
    metrics = {"accept_rate", "step_size", "energy_error", "bound"}
    assert {f"epoch_{name}" for name in metrics} | {"samples", "reconstructions"} <= tags


def test_sample(workdirs, tmp_path):
    workdir = workdirs / "hmc_dlgm_digits"
    result = run_here("sample", f"--workdir={workdir}", "--num_samples=7", "--seed=3")
    assert result.returncode == 0, result.stderr
    draws = np.load(workdir / "samples.npz")
    expected = zoo.load(str(workdir)).sample(7, 3)
    for name in ("x", "mean"):
        np.testing.assert_array_equal(draws[name], expected[name])


@pytest.mark.parametrize("mask", ["box", "random"])
def test_inpaint(workdirs, mask):
    workdir = workdirs / "vae_digits"
    flags = [f"--mask={mask}", "--num_images=3", "--num_completions=2", "--num_steps=2"]
    result = run_here("inpaint", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    arrays = np.load(workdir / f"inpainting_{mask}.npz")
    assert arrays["completions"].shape == arrays["means"].shape == (2, 3, 8, 8, 1)
    visible = np.broadcast_to(arrays["visible"], arrays["x"].shape)
    for name in ("completions", "means"):
        shown = arrays[name][:, visible]
        np.testing.assert_array_equal(shown, np.broadcast_to(arrays["x"][visible], shown.shape))
    assert not np.array_equal(arrays["means"][0], arrays["means"][1])
    assert (workdir / f"inpainting_{mask}.png").is_file()


def test_export(workdirs):
    workdir = workdirs / "vae_digits"
    for _ in range(2):  # the second replaces the first
        result = run_here("export", f"--workdir={workdir}")
        assert result.returncode == 0, result.stderr
    endpoints = tf.saved_model.load(str(workdir / "export")).signatures
    assert {"sample", "reconstruct", "inpaint", "encode", "log_likelihood"} < set(endpoints)


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
        ("train", ["--config.model.name=VEA"], "model: unknown value 'VEA'; did you mean 'VAE'"),
        (
            "train",
            ["--config.data.source=digit"],
            "data: unknown value 'digit'; did you mean 'digits'",
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
        ("train", ["--config=vae_mnist:smal"], "preset: unknown value 'smal'; did you mean"),
        ("train", ["--config.data.source=npz:no.npz"], "no.npz': No such file"),
        ("train", ["--config.data.batch_size=0"], "batch_size must be greater than 0; it was 0"),
        ("train", ["--config.evaluation.num_chains=0"], "num_chains must be greater than 0"),
        ("train", ["--config.model.likelihood=normal"], "likelihood: unknown value 'normal'"),
        ("evaluate", [], "workdir"),
        ("sample", ["--workdir=nowhere"], "workdir: 'nowhere/model.keras' is missing"),
        ("inpaint", ["--workdir=nowhere", "--mask=lft"], "left|right|top|bottom|box|random"),
        ("inpaint", ["--workdir=nowhere"], "workdir: cannot read 'nowhere/config.json'"),
        ("export", ["--workdir=nowhere"], "workdir: 'nowhere/model.keras' is missing"),
        ("benchmark", ["--pairs=three"], "pairs"),
        ("benchmark", ["--pairs=0"], "pairs must be greater than 0; it was 0"),
        ("benchmark", ["--memory=a"], "memory"),
        ("evaluate", ["--workdir=nowhere"], "workdir: cannot read 'nowhere/config.json'"),
        ("evaluate", ["--workdir=.", "--against=."], "workdir: cannot read 'config.json'"),
    ],
)
def test_mistakes_end_in_one_line(script, arguments, message, tmp_path):
    arguments = [a.replace("scripts/", f"{ROOT}/scripts/") for a in arguments]
    result = run_here(script, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "source",
    [
        "def get_config(): return 1 / 0",
        "def get_config( return",
        "x = 1",
        "import nothing_like_it",
        "def get_config(): return {}",
        "def get_config(): return 3",
        "import ml_collections as m\ndef get_config(): return m.ConfigDict({'epochs': 3})",
    ],
)
def test_malformed_config_files(source, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(source)
    result = run_here("train", f"--config={path}", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("error: config") == 1 and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "script", ["train", "evaluate", "sample", "inpaint", "export", "figures", "benchmark"]
)
def test_help_tells_the_flags(script):
    result = run_here(script, "--help")
    assert result.returncode in (0, 1)  # absl's own status after help is 1
    assert "python scripts/" in result.stdout
    assert {"benchmark": "--pairs"}.get(script, "--workdir") in result.stdout


def test_a_mistake_in_a_process_of_its_own(tmp_path):
    result = run("sample", "--workdir=nowhere", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: workdir: 'nowhere/model.keras' is")


def test_older_runs_give_way_but_nothing_else(workdirs, tmp_path):
    """A second run replaces the first; what no run wrote is refused, and stays."""
    config = f"--config={ROOT / 'scripts/configs/vae_digits.py'}"
    run_one = tmp_path / "run"
    shutil.copytree(workdirs / "vae_digits", run_one)
    (run_one / "notes.txt").write_text("mine")
    result = run_here("train", config, *TINY, "--config.epochs=1", f"--workdir={run_one}")
    assert result.returncode == 0, result.stderr
    assert len((run_one / "metrics.csv").read_text().splitlines()) == 2
    assert (run_one / "notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    (other / "export").mkdir(parents=True)
    (other / "export" / "thesis.txt").write_text("mine")
    result = run_here("train", config, *TINY, f"--workdir={other}")
    assert result.returncode == 2 and "holds export of something else" in result.stderr
    assert (other / "export" / "thesis.txt").read_text() == "mine"


def test_presets_have_work_directories_of_their_own(tmp_path):
    x = np.eye(28)[None].repeat(300, 0)
    np.savez(tmp_path / "a.npz", x_train=x, x_test=x)
    small = ["--config.data.batch_size=10", "--config.evaluation.num_images=2", *TINY]
    source = f"--config.data.source=npz:{tmp_path / 'a.npz'}"
    result = run_here("train", "--config=vae_mnist:small", source, *small, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["vae_mnist_small"]
    many = "--config.evaluation.num_images=301"
    result = run_here("train", "--config=vae_mnist", source, *small, many, cwd=tmp_path)
    assert "num_images must be at most 300; it was 301" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--help"], 0, "inpaint     Completes half-seen test images"),
        (["trian"], 2, "error: program must be one of train, evaluate"),
        (["sample", "--workdir=nowhere"], 2, "error: workdir: 'nowhere/model.keras' is missing"),
    ],
)
def test_console(arguments, status, told, tmp_path):
    command = [sys.executable, "-c", "from zoo.scripts.console import main; main()", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == status and told in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
