"""What a training leaves: an open list of files, of which a model gets what it is able to."""

import dataclasses
import json

import numpy as np
import pytest
from programs import digits_config, make_run

import zoo
from zoo.core.abilities import defines
from zoo.core.trainable import TrainableModel
from zoo.runs import manifest, writers
from zoo.runs.run import open_run


@pytest.fixture
def registered(monkeypatch):
    """A list that a test may add to."""
    monkeypatch.setattr(writers, "_WRITERS", [])
    return writers.register_writer


class Silent:
    """A model that can do one thing."""

    def count(self):
        return 3


def test_a_new_kind_of_file_needs_no_edit_elsewhere(registered, tmp_path):
    run = make_run(tmp_path / "run", digits_config(name="VAE"))
    run.model = Silent()

    @registered("count.json", needs=("count",))
    def write_count(run):
        manifest.claim(run.workdir, "count.json").write_text(str(run.model.count()))

    @registered("song.wav", needs=("count", "sing"))
    def write_song(run):
        raise AssertionError("it does not sing")

    assert writers.file_names() == ["count.json", "song.wav"]
    writers.write_files(run)
    assert (tmp_path / "run" / "count.json").read_text() == "3"
    assert manifest.names(run.workdir) == ["config.json", "count.json"]


def test_a_score_that_is_no_number_does_not_cost_the_other_files(registered, tmp_path, capsys):
    run = make_run(tmp_path / "run", digits_config(name="VAE"))
    run.model = Silent()

    @registered("evaluation.json")
    def write_evaluation(run):
        raise FloatingPointError("1 of 2 images is NaN.")

    @registered("count.json")
    def write_count(run):
        manifest.claim(run.workdir, "count.json").write_text("3")

    writers.write_files(run)
    assert (tmp_path / "run" / "count.json").is_file()
    assert capsys.readouterr().err == "error: evaluation.json not written: 1 of 2 images is NaN.\n"


def test_a_model_that_can_only_be_trained_leaves_itself():
    """Its scores, too, but no samples, reconstructions nor completions."""
    needed = {name: writer.needs for writer in writers._WRITERS for name in writer.files}
    always = [name for name, needs in needed.items() if not needs]
    assert always == ["model.keras", "evaluation.json", "log_likelihood.csv"]
    abilities = {name for needs in needed.values() for name in needs}
    assert abilities == {"sample", "reconstruct", "inpaint"}
    assert not any(defines(TrainableModel, name) for name in abilities)
    assert all(defines(zoo.VAE, name) for name in abilities)


def test_an_evaluation_is_read_as_it_was_written(tmp_path, monkeypatch, digits, capsys):
    run = make_run(tmp_path / "run", digits_config(name="VAE", num_images=2))
    scores = {"log_likelihood": -2.0, "bound": None, "num_images": 2, "warnings": ["raise it."]}
    asked = {}

    def report(model, data, **protocol):
        asked.update(protocol, data=data)
        return scores, np.array([-1.5, -2.5])

    monkeypatch.setattr(zoo.scores, "report", report)
    run.config.seed, run.config.evaluation.num_chains = 7, 3
    run.data, run.model = digits, zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,))
    writers.write_evaluation(run)
    assert asked["seed"] == 7 and asked["num_chains"] == 3 and asked["data"] is digits.test
    told = capsys.readouterr().out
    assert "  log_likelihood               -2.0000  nats per example\n" in told
    assert "  bound                              -  nats per example, one sample" in told
    assert told.endswith("warning: raise it.\n")
    found, per_image = open_run(run.workdir).evaluation
    assert found == scores and per_image.tolist() == [-1.5, -2.5]
    assert manifest.names(run.workdir)[1:] == ["evaluation.json", "log_likelihood.csv"]
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(scores | {"log_likelihood": -3}))
    with pytest.raises(zoo.UsageError, match="evaluation.json and log_likelihood.csv of .* differ"):
        open_run(run.workdir).evaluation  # noqa: B018 (it is read when asked for)
    (tmp_path / "run" / "evaluation.json").write_text("{}")
    with pytest.raises(zoo.UsageError, match="to read: evaluation.json has no 'log_likelihood'."):
        open_run(run.workdir).evaluation  # noqa: B018
    (tmp_path / "run" / "log_likelihood.csv").unlink()
    with pytest.raises(zoo.UsageError, match="has no evaluation to read"):
        open_run(run.workdir).evaluation  # noqa: B018


def test_chunks_are_of_one_model_on_one_set_of_images(tmp_path, digits):
    """Where a file of images was replaced by another of its name, nothing goes on."""
    run = make_run(tmp_path / "run", digits_config(name="VAE"))
    run.model, run.data = zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,)), digits
    first = writers._digest(run, {})
    assert first == writers._digest(run, {}) != writers._digest(run, {"num_chains": 3})
    run.data = dataclasses.replace(digits, test=digits.validation)
    assert writers._digest(run, {}) != first
