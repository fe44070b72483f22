"""The models that `serve` and `demo` are told of, and what they are called."""

import pytest

import zoo
from zoo.core.checks import UsageError
from zoo.core.presets import PACKAGED
from zoo.runs.served_models import load_models
from zoo.runs.unpacking import unpack
from zoo.serving import served
from zoo.serving.server import hosts_of


def test_presets_and_runs(tmp_path):
    run = unpack("vae_digits", tmp_path / "mine")
    models = load_models(["vae_digits", str(PACKAGED / "short_run_digits")], [run], [])
    assert [one.name for one in models] == ["vae_digits", "short_run_digits", "mine"]
    assert [type(one.model).__name__ for one in models] == ["VAE", "ShortRun", "VAE"]
    names = {"zoo": zoo, "keras": __import__("keras")}
    for one in models:
        assert type(eval(one.code, names)) is type(one.model)
    with pytest.raises(UsageError, match="unknown value 'vae_digts'"):
        load_models(["vae_digts"], [], [])


def test_exports_are_called_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(served, "serve_export", lambda name, path: name)
    paths = ["runs/mine/export", "serving/digits/1", "runs/2024/export", "plain"]
    found = load_models([], [], [str(tmp_path / path) for path in paths])
    assert found == ["mine", "digits", "2024", "plain"]


def test_names_that_a_server_may_be_called_by():
    assert hosts_of("127.0.0.1") == hosts_of("::1") == ("localhost", "127.0.0.1", "[::1]")
    assert hosts_of("localhost", ["https://zoo.example.org:8443"])[-1] == "zoo.example.org"
    assert hosts_of("0.0.0.0") is None
