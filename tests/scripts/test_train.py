"""The program `train`: what it leaves, the configs it takes, and mistakes that end in one line."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import ROOT, TINY, get_config, run_here

import zoo
from zoo.runs import manifest
from zoo.runs import workdir as workdirs
from zoo.runs.defaults import resolve
from zoo.runs.locks import locked_run
from zoo.runs.run import open_run


def test_it_leaves_a_work_directory(trained):
    path, result = trained
    files = {"config.json", "model.keras", "metrics.csv", "evaluation.json", "log_likelihood.csv"}
    pictures = {"samples.png", "reconstructions.png", "inpainting.png"}
    assert {p.name for p in path.iterdir()} == {*files, *pictures, "tensorboard", "manifest.json"}
    assert set(manifest.names(path)) == {*files, *pictures, "tensorboard"}
    scores, per_image = open_run(str(path)).evaluation
    assert len(per_image) == scores["num_images"] == 300 and 0 < scores["accept_rate"] <= 1
    # Grey levels of 64 pixels: a fair coin for each is -44.4 nats.
    assert -44.4 < scores["log_likelihood"] < -30
    # In a file no bar is drawn over, and an epoch is a line.
    assert "\b" not in result.stdout and "\r" not in result.stdout
    assert result.stdout.count("25/25 - ") == 2 and "\nEpoch 2/2\n25/25 - " in result.stdout
    assert f"log_likelihood            {scores['log_likelihood']:10.4f}  nats" in result.stdout
    for name in pictures:
        picture = keras.utils.img_to_array(keras.utils.load_img(path / name))
        assert picture.std() > (5 if name == "samples.png" else 50), name


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--config=vae"], "vae_digits"),
        (["--config=vae:mnist:small"], "vae_mnist_small"),
        (["--config=vae", "--config.data.source=images:my photos"], "vae_my_photos"),
        (["--config=vae:mnist:small", "--config.data.source=npz:a.npz"], "vae_a.npz_small"),
    ],
)
def test_a_run_is_called_by_its_data(flags, name, monkeypatch):
    """So that pictures of one's own neither replace nor meet the config's."""
    monkeypatch.setattr(workdirs, "is_finished", lambda *_: True)
    assert run_here("train", *flags).stdout.startswith(f"'runs/{name}' holds this run")


def test_the_config_says_everything(trained):
    saved = json.loads((trained[0] / "config.json").read_text())
    config = resolve(get_config("hmc_dlgm"))
    for flag in TINY:
        key, _, value = flag.removeprefix("--config.").partition("=")
        *parts, key = key.split(".")
        part = config[parts[0]] if parts else config
        part[key] = type(part[key])(json.loads(value.lower().replace("(8,)", "[8]")))
    assert saved == json.loads(json.dumps(config.to_dict()))


def test_metrics_are_those_of_the_model(trained, digits):
    with (trained[0] / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    model = zoo.load(str(trained[0]))
    assert model.optimizer.iterations == 50
    found = model.evaluate(digits.validation, verbose=0, return_dict=True)
    for name, value in found.items():
        np.testing.assert_allclose(float(rows[-1][f"val_{name}"]), value, rtol=1e-4)


def test_tensorboard_has_scalars_and_pictures(trained):
    tags = set()
    for file in (trained[0] / "tensorboard").rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            tags |= {value.tag for value in event.summary.value}
    metrics = {"accept_rate", "step_size", "energy_error", "bound"}
    assert {f"epoch_{name}" for name in metrics} | {"samples", "reconstructions"} <= tags


@pytest.fixture
def begun(monkeypatch):
    """Work directories in which a run would have begun."""
    paths = []

    def start(path, *_, **__):
        paths.append(path)
        raise zoo.UsageError("it has begun")

    monkeypatch.setattr(workdirs, "start_run", start)
    return paths


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ([], "runs/hmc_dlgm_digits"),
        (["--config=vae:digits"], "runs/vae_digits"),
        (["--config=vae:mnist", "--config.data.source=digits"], "runs/vae_digits"),
        (["--config", "vae:mnist:small", "--config.data.source=digits"], "runs/vae_digits_small"),
    ],
)
def test_presets_have_work_directories_of_their_own(config, path, begun, tmp_path):
    result = run_here("train", *config, *TINY, cwd=tmp_path)
    assert "error: it has begun" in result.stderr and begun == [path]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["model.trajectory=2"], {"model.trajectory": 2.0}),
        (["model.activation=tanh"], {"model.activation": "tanh"}),
        (["model.upper_hidden=(7,)"], {"model.upper_hidden": (7,)}),
        (["model.shear=False"], {"model.shear": False}),
        (["evaluation.num_images=20"], {"evaluation.num_images": 20}),
        (["evaluation.chunk_size=20"], {"evaluation.chunk_size": 20}),
        (["optimizer.final_learning_rate=1e-4"], {"optimizer.final_learning_rate": 1e-4}),
        (["optimizer.clipnorm=1"], {"optimizer.clipnorm": 1}),
        (["data.data_dir=/prepared"], {"data.data_dir": "/prepared"}),
        # Of what is named in the same command.
        (["optimizer.name=SGD", "optimizer.momentum=0.9"], {"optimizer.momentum": 0.9}),
        (["model.name=IWAE", "model.num_samples=3"], {"model.num_samples": 3}),
        # Of parts that are told by their names.
        (["model.likelihood.name=gaussian"], {"model.likelihood": {"name": "gaussian"}}),
        (
            ["model.likelihood.name=gaussian", "model.likelihood.scale=0.2"],
            {"model.likelihood": {"name": "gaussian", "scale": 0.2}},
        ),
        (["model.prior.width=3"], {"model.prior": {"name": "standard_normal", "width": 3}}),
    ],
    ids=str,
)
def test_everything_that_a_config_says_can_be_changed(flags, expected, monkeypatch):
    begun = []

    def ask(path, config):
        begun.append(config)
        raise zoo.UsageError("it has begun")

    monkeypatch.setattr(workdirs, "is_finished", ask)
    result = run_here("train", *(f"--config.{flag}" for flag in flags))
    assert "error: it has begun" in result.stderr
    values = resolve(get_config("hmc_dlgm")).to_dict() | begun[0].to_dict()
    for key, value in expected.items():
        section, name = key.split(".")
        assert values[section][name] == value and type(values[section][name]) is type(value)


def test_configs_of_ones_own(begun, tmp_path):
    """In a folder of their own they have names, and are listed; elsewhere they have paths."""
    (tmp_path / "mine.py").write_text(
        '"""Mine."""\n'
        "from zoo.scripts.configs import vae\n"
        'CHOICES = {"digits": ("deep", "flat")}\n'
        "def get_config(choice=''):\n"
        "    config = vae.get_config()\n"
        "    config.seed = len(choice)\n"
        "    return config\n"
    )
    folder = f"--config_folder={tmp_path}"
    listed = run_here("train", "--list", folder).stdout
    assert "mine                      Mine.\n    :digits               :deep :flat\n" in listed
    for config in ([folder, "--config=mine:digits:flat"], [f"--config={tmp_path / 'mine.py'}"]):
        run_here("train", *config, *TINY, cwd=tmp_path)
    assert begun == ["runs/mine_digits_flat", "runs/mine_digits"]


def test_configs_are_listed(tmp_path):
    result = run_here("train", "--list", cwd=tmp_path)
    assert result.returncode == 0 and not list(tmp_path.iterdir())
    files = (ROOT / "scripts" / "configs").glob("[!_]*.py")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == sorted(p.stem for p in files)
    first = lines.index(next(line for line in lines if line.startswith("short_run ")))
    assert lines[first].endswith("Short-run MCMC (Nijkamp et al. 2020).")
    assert lines[first + 1 : first + 3] == [
        "    :digits",
        "    :mnist                :paper :small :dense",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=scripts/configs/vea.py"], "config: unknown value 'vea'; did you mean 'vae'"),
        (["--config=no/such/place/vae.py"], "config: there is no file 'no/such/place/vae.py'"),
        (["--config=vae:minst"], "data: unknown value 'minst'; did you mean 'mnist'"),
        (["--config=vae:mnist:smal"], "preset: unknown value 'smal'; did you mean 'small'"),
        (["--config=hmc_dlgm_mnist"], "config: 'hmc_dlgm_mnist' is now 'hmc_dlgm:mnist'."),
        (["--config=vae_mnist:small"], "config: 'vae_mnist:small' is now 'vae:mnist:small'."),
        (["--config_folder=nowhere"], "config_folder: there is no folder 'nowhere'"),
        (["--config.model.name=VEA"], "model: unknown value 'VEA'; did you mean 'VAE'"),
        (["--config.data.source=digit"], "data: unknown value 'digit'; did you mean 'digits'"),
        (
            ["--config.model.num_stepz=3"],
            "config: unknown value 'model.num_stepz'; did you mean 'model.num_steps'",
        ),
        (["--config.model.trajektory=3"], "did you mean 'model.trajectory'"),
        (["--config.learning_rate=3"], "did you mean 'optimizer.learning_rate'"),
        (["--config.epoch=3"], "config: unknown value 'epoch'; did you mean 'epochs'"),
        (["--config.epochs.x=3"], "config: unknown value 'epochs.x'; did you mean 'epochs'"),
        (["--config.optimizer.name=SGD", "--config.optimizer.beta_1=0"], "'optimizer.beta_1'"),
        (["--config.model.likelihood.scal=1"], "bernoulli does not take scal; it takes"),
        (["--config.model.likelihood.name.x=1"], "unknown value 'model.likelihood.name.x'"),
        (["--config.model.num_steps=0"], "num_steps must be greater than 0; it was 0"),
        (["--config.epochs=0"], "epochs must be greater than 0; it was 0"),
        (["--config.epochs=many"], "config.epochs must be a whole number; it was 'many'."),
        (["--config.optimizer.learning_rate=a: b"], "rate must be a number; it was 'a: b'."),
        (["--config.jit_compile=maybe"], "jit_compile must be True or False; it was 'maybe'."),
        (["--config.optimizer.name=Adm"], "optimizer: unknown value 'Adm'; did you mean 'Adam'"),
        (["--epoch=3"], "Unknown command line flag 'epoch'"),
        (["config.epochs=3"], "'config.epochs=3' is not one"),
        (["--workdir=/proc/nowhere"], "workdir: cannot write to '/proc/nowhere'"),
        (["--strategy=many"], "strategy: unknown value 'many'; known are 'none', 'mirrored', "),
        (["--config.data.source=npz:no.npz"], "no.npz': No such file"),
        (["--config.data.batch_size=0"], "batch_size must be greater than 0; it was 0"),
        (["--config.evaluation.num_chains=0"], "num_chains must be greater than 0"),
        (["--config.model.likelihood=normal"], "likelihood: unknown value 'normal'"),
        (
            ["--config=vae:mnist:small", "--config.data.source=digits", "--config.epochs=1"]
            + ["--config.evaluation.num_images=301"],
            "num_images must be at most 300; it was 301",
        ),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, tmp_path):
    arguments = [a.replace("scripts/", f"{ROOT}/scripts/") for a in arguments]
    result = run_here("train", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def get_config(): return 1 / 0", "ZeroDivisionError: division by zero (bad.py, line 1)."),
        (
            "def get_config():\n    return {}['no']",
            "be run: KeyError: 'no' (bad.py, line 2).",
        ),
        ("import sys\nsys.exit(3)", "bad.py' cannot be run: SystemExit: 3 (bad.py, line 2)."),
        (
            "def get_config(): open('no')",
            "FileNotFoundError: [Errno 2] No such file",
        ),
        ("def get_config( return", "invalid syntax (bad.py, line 1)"),
        ("x = 1", "bad.py' must define a function get_config; it does not."),
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
        ("def get_config(): return {}", "config must be a ConfigDict; it was a dict"),
        ("def get_config(): return 3", "config must be a ConfigDict; it was a int"),
        (
            "import ml_collections as m\ndef get_config(): return m.ConfigDict({'epochs': 3})",
            "config: data must be a ConfigDict; it was None",
        ),
        (
            "from zoo.runs.config import choose\n"
            "def get_config(choice=''): return choose('no', {'digits': ()})",
            "data: unknown value 'no'; known are 'digits'",
        ),
    ],
)
def test_malformed_config_files(source, message, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(source)
    result = run_here("train", f"--config={path}", cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in result.stderr


def test_a_finished_run_stays(workdir):
    """The same command says so, and another config is refused."""
    (workdir / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    command = ["train", "--config=hmc_dlgm", *TINY, f"--workdir={workdir}"]
    result = run_here(*command)
    told = f"'{workdir}' holds this run, and it is finished; --overwrite begins it anew.\n"
    assert (result.returncode, result.stdout) == (0, told)
    result = run_here(*command, "--config.model.num_steps=3")
    assert result.returncode == 2
    told = "holds a finished run whose model.num_steps is 2, not 3; give another directory, or --"
    assert told in result.stderr
    assert before == {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command", [["train", "--config=hmc_dlgm", *TINY, "--overwrite"], ["evaluate"]]
)
def test_one_program_at_a_time(command, workdir):
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    with locked_run(workdir):
        result = run_here(*command, f"--workdir={workdir}")
    assert result.returncode == 2
    assert f"error: workdir: '{workdir}' is in use by " in result.stderr
    assert before == {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}


def test_what_no_run_wrote_is_refused_before_training(tmp_path):
    (tmp_path / "samples.png").write_text("mine")
    result = run_here("train", "--config=vae", *TINY, f"--workdir={tmp_path}")
    assert result.returncode == 2
    assert "holds 'samples.png', which no run wrote; move it away" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["samples.png"]
