"""The program `fid` on a small experiment, and its mistakes."""

import json
import shutil
from unittest import mock

import keras
import pytest
from programs import digits_config, make_run, run_here

import zoo
from zoo import scores
from zoo.runs import manifest
from zoo.scores.feature_networks import INCEPTION_FILE


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, digits):
    """What a run leaves and `fid` reads: here of no epoch at all."""
    workdir = tmp_path_factory.mktemp("runs") / "vae_digits"
    make_run(workdir, digits_config(name="VAE"), digits)
    return workdir


@pytest.fixture
def networks(monkeypatch, tmp_path):
    """The classifiers that were trained, here in few steps.

    Weights of InceptionV3 are not to be found, whatever this machine has.
    """
    trained, train = [], scores.classifier_features

    def quickly(data):
        trained.append(train(data, num_batches=2, verbose=False))
        return trained[-1]

    monkeypatch.setattr(scores, "classifier_features", quickly)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return trained


def test_fid(workdir, networks, digits, tmp_path):
    """The same model has the same score, whatever the seed and batches of its training."""
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    config = json.loads((copy / "config.json").read_text())
    config["seed"], config["data"]["batch_size"] = 5, 30
    (copy / "config.json").write_text(json.dumps(config))
    figures = []
    for path in (workdir, copy):
        result = run_here(
            "fid", f"--workdir={path}", "--num_samples=150", "--num_images=100", "--seed=3"
        )
        assert result.returncode == 0, result.stderr
        assert ": frechet_small against 100 test images" in result.stdout.lower()
        assert f"classifies {networks[-1].accuracy:.1%} of the test images" in result.stdout
        figures.append(json.loads((path / "fid.json").read_text()))
        assert "fid.json" in manifest.names(path)
    assert len(networks) == 2 and figures[0] == figures[1]
    expected = scores.frechet(
        zoo.load(str(workdir)),
        digits,
        networks[0],
        num_samples=150,
        num_images=100,
        seed=3,
        verbose=False,
    )
    assert figures[0].pop("latents") == expected.pop("latents") == "prior"
    assert figures[0] == pytest.approx(expected, rel=1e-9)
    assert expected["frechet_small"] > 2 * expected["train_images"]  # it has learned nothing


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--features=smal"], "unknown value 'smal'; did you mean 'small'?"),
        (["--num_samples=1"], "num_samples"),
        (["--num_images=many"], "num_images"),
        (["--fid_weights=no.h5"], "fid_weights: there is no file 'no.h5'"),
        (["--features=small", "--fid_weights=a.h5"], "fid_weights: leave it out of"),
    ],
)
def test_mistakes_end_in_one_line(flags, message, workdir, networks, tmp_path):
    result = run_here("fid", f"--workdir={workdir}", *flags, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in result.stderr


def test_auto_is_inception_where_keras_has_its_weights(workdir, monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / INCEPTION_FILE).touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    offline = mock.Mock(side_effect=Exception("URL fetch failure"))
    with mock.patch.object(keras.applications, "InceptionV3", offline):
        result = run_here("fid", f"--workdir={workdir}")
    assert result.returncode == 2 and "Features: InceptionV3 of Keras" in result.stdout
    assert "error: fid_weights: cannot get the weights 'imagenet'" in result.stderr
