"""Programs on presets: they are unpacked into a run once, and training starts from them."""

import json
import shutil

import numpy as np
import PIL.Image
import pytest
from programs import TINY, digits_config, make_run, run_here

import zoo
from zoo.runs import cards, manifest, writers


@pytest.fixture(scope="module")
def preset(digits, tmp_path_factory):
    """Of a run of a small VAE, without any score."""
    folder = tmp_path_factory.mktemp("presets")
    run = make_run(folder / "run", digits_config(name="VAE"), digits)
    path = folder / "tiny"
    run.model.save_to_preset(path, run=run.config.to_dict(), dtype="float32")
    return path, run


def told(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result):
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result
    return result.stderr


def test_a_preset_is_unpacked_once(preset, tmp_path):
    path, run = preset
    asked = f"--preset={path}"
    first = told(run_here("sample", asked, "--num_samples=4", "--seed=1", cwd=tmp_path))
    assert "is unpacked into 'runs/presets/tiny'" in first
    unpacked = tmp_path / "runs" / "presets" / "tiny"
    assert manifest.noted(unpacked, "preset")["name"] == str(path)
    drawn = np.load(unpacked / "samples.npz")["x"]
    model = zoo.load(unpacked)
    for one, other in zip(model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    before = (unpacked / "model.keras").stat().st_mtime_ns
    again = told(run_here("sample", asked, "--num_samples=4", "--seed=1", cwd=tmp_path))
    assert "unpacked" not in again and (unpacked / "model.keras").stat().st_mtime_ns == before
    np.testing.assert_array_equal(np.load(unpacked / "samples.npz")["x"], drawn)
    run.model.save_to_preset(path.with_name("other") / "tiny", run=run.config.to_dict())
    other = run_here("sample", f"--preset={path.with_name('other') / 'tiny'}", cwd=tmp_path)
    assert "'runs/presets/tiny' holds another run; give another directory" in refused(other)
    # Killed before the model was whole, it is unpacked anew.
    (unpacked / "model.keras").unlink()
    assert "is unpacked" in told(run_here("sample", asked, "--num_samples=4", cwd=tmp_path))


def test_own_pictures_are_completed(preset, tmp_path):
    picture = np.zeros((8, 8), np.uint8)
    picture[:, 3:5] = 255
    PIL.Image.fromarray(picture).save(tmp_path / "mine.png")
    mask = np.full((8, 8), 255, np.uint8)
    mask[4:] = 0
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    arguments = ["--image=mine.png", "--mask=mask.png", "--num_steps=2", "--workdir=out"]
    told(run_here("inpaint", f"--preset={preset[0]}", *arguments, cwd=tmp_path))
    assert (tmp_path / "out" / "completed_mine_mask.png").is_file()
    completed = np.load(tmp_path / "out" / "inpainting_mine_mask.npz")
    np.testing.assert_allclose(completed["means"][0, 0, :4, :, 0], picture[:4] / 255)


def test_mistakes(preset, tmp_path, monkeypatch):
    assert refused(run_here("sample")) == (
        "error: workdir or preset must be given; --help tells what they may be.\n"
    )
    assert "preset: there is no folder 'no/where'" in refused(
        run_here("sample", "--preset=no/where")
    )
    assert "preset must be hf://OWNER/NAME" in refused(run_here("train", "--init=hf://x"))
    assert "preset: unknown value" in refused(run_here("figures", "--preset=vae_digts"))
    preset[1].model.save_to_preset(tmp_path / "alone")
    alone = run_here("sample", f"--preset={tmp_path / 'alone'}", cwd=tmp_path)
    assert "has no config of a run, which programs need" in refused(alone)
    assert not (tmp_path / "runs").exists()


TRAIN = ["--config=vae", *TINY]


@pytest.fixture
def model_alone(monkeypatch):
    """Without it a training also writes pictures and scores, which takes longest."""
    monkeypatch.setattr("zoo.runs.writers.write_files", writers.write_model)
    monkeypatch.setattr("zoo.runs.callbacks.PictureLogger.on_epoch_end", lambda *_: None)


def test_training_starts_from_a_preset_and_goes_on_without(preset, model_alone, tmp_path):
    """A run that was broken off goes on where it was, and does not look at the preset again."""
    path, run = shutil.copytree(preset[0], tmp_path / "preset"), tmp_path / "run"
    begun = []

    def on_epoch_begin(self, epoch, logs=None):
        begun.append(self.model.get_weights())
        if len(begun) == 2:
            raise KeyboardInterrupt

    arguments = [*TRAIN, f"--init={path}", f"--workdir={run}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.runs.callbacks.MetricsTable.on_epoch_begin", on_epoch_begin)
        assert run_here("train", *arguments).returncode == 130
        weights = path / "model.weights.h5"
        content = weights.read_bytes()
        weights.write_bytes(content[:-1])
        assert "goes on after epoch 1" in told(run_here("train", *arguments))
    first, second, again = begun
    for one, other in zip(first, preset[1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other, start in zip(again, second, first, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, start)
    # What it started from is kept.
    assert manifest.noted(run, "init")["name"] == str(path)
    assert json.loads((run / "config.json").read_text())["init"] == str(path)
    assert manifest.noted(run, "seconds") > 0 and "--init" in manifest.noted(run, "command")
    other = run_here("train", *TRAIN, f"--init={preset[0]}", f"--workdir={run}")
    assert "holds a finished run whose init is" in refused(other)
    wider = [*TRAIN, f"--init={preset[0]}", "--config.model.hidden=(9,)", "--workdir=wider"]
    differs = refused(run_here("train", *wider, cwd=tmp_path))
    assert "has the shape [2, 8] there, and [2, 9] here" in differs
    assert not (tmp_path / "wider").exists()


def test_a_preset_of_a_run(preset, tmp_path, monkeypatch):
    """Its metric is that of the weights that are stored, and its card tells where it is from."""
    _, run = preset
    manifest.note(run.workdir, command="mcmc-zoo train --config=vae --workdir=x", seconds=2.4)
    scored = []

    def report(model, test, **settings):
        scored.append(model.get_weights())
        assert settings == run.config.evaluation.to_dict() | {"seed": 0}
        figures = {"log_likelihood": -3.0, "log_likelihood_stderr": 0.25, "bound": None}
        return figures | {"protocol": "by hand", "num_images": 300, "warnings": []}, None

    monkeypatch.setattr("zoo.scores.report", report)
    arguments = [f"--workdir={run.workdir}", f"--folder={tmp_path}"]
    printed = told(run_here("make_preset", *arguments, "--name=tiny", "--commit=abc"))
    assert printed.startswith("log_likelihood -3.0000 +- 0.2500 nats per example")
    for one, other in zip(scored[0], run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, np.float16(other) if one.ndim > 1 else other)
    card = json.loads((tmp_path / "tiny" / "card.json").read_text())
    assert card["metric"] == {
        "name": "log_likelihood",
        "value": -3.0,
        "stderr": 0.25,
        "unit": "nats per example",
        "num_examples": 300,
        "protocol": "by hand",
        "seed": 0,
    }
    assert card["scores"] == {"log_likelihood": -3.0, "log_likelihood_stderr": 0.25}
    assert card["command"] == "mcmc-zoo train --config=vae" and card["training_seconds"] == 2
    assert card["commit"] == "abc" and card["seed"] == 0 and card["method"] == "VAE"
    assert card["licence_of_data"].startswith("CC BY 4.0")
    model = zoo.from_preset(tmp_path / "tiny")
    assert cards.loss_of(model, run.data.test) == card["loss"] and card["loss"]["stderr"] > 0
    assert "name must be of letters" in refused(run_here("make_preset", *arguments, "--name=../x"))


def test_metrics():
    """The first that a model has, with its error; a share has that of a binomial."""
    scored = {"num_images": 100, "accuracy": 0.9, "bound": None, "protocol": "by hand"}
    metric = cards.metric_of(scored, 3)
    assert (metric["name"], metric["value"], metric["stderr"]) == ("accuracy", 0.9, 0.03)
    assert metric["protocol"] == "by hand" and metric["seed"] == 3
    metric = cards.metric_of({"num_images": 1, "reconstruction_mse": 0.1}, 0)
    assert metric["name"] == "reconstruction_mse" and metric["stderr"] is None


def test_commands_are_those_of_anybody():
    expected = "mcmc-zoo train --config=vae '--config.model.hidden=(8, 8)' --overwrite"
    for typed in (
        "python /home/me/scripts/train.py --config=vae --workdir=runs/x "
        "'--config.model.hidden=(8, 8)' --overwrite",
        "mcmc-zoo train --config=vae --workdir runs/x '--config.model.hidden=(8, 8)' --overwrite",
    ):
        assert cards.command_of(typed) == expected
    assert cards.command_of(None) is None
