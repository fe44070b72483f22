"""Where presets lie, and folders that are damaged or foreign: one sentence each, before use.

Nothing here needs TensorFlow: what a folder holds is checked before anything is made of it.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from checking import mutant

import zoo
from zoo.core import presets
from zoo.core.presets import CARD, CONFIG, WEIGHTS, check_preset, digest, open_preset

ROOT = pathlib.Path(__file__).parents[3]
CONTENTS = {CONFIG: b'{"model": {"class_name": "VAE"}, "run": null}', WEIGHTS: b"weights"}


def write(folder, contents=CONTENTS, **changes):
    folder.mkdir(parents=True)
    sums = {name: digest(content) for name, content in contents.items()}
    card = {"zoo_version": zoo.__version__, "sha256": sums} | changes
    for name, content in (contents | {CARD: json.dumps(card).encode()}).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "mine")


def refused(name):
    with pytest.raises(zoo.UsageError) as error:
        open_preset(name)
    told = str(error.value)
    assert told.startswith("preset") and told.endswith((".", "?")) and "\n" not in told
    return told


def test_a_folder(folder, tmp_path):
    preset = open_preset(folder)
    assert preset.label == "mine" and preset.weights == b"weights"
    assert preset.config == {"model": {"class_name": "VAE"}, "run": None}
    write(tmp_path / "older", zoo_version="0.1.9")
    assert open_preset(str(tmp_path / "older")).card["zoo_version"] == "0.1.9"


@pytest.mark.parametrize("name", presets.FILES)
def test_every_file_is_needed_and_whole(folder, name):
    content = (folder / name).read_bytes()
    for damaged in (b"", content[:-1], content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]):
        (folder / name).write_bytes(damaged)
        assert "is damaged" in refused(folder) or "is no preset" in refused(folder)
    (folder / name).unlink()
    assert f"is no preset: {name}: No such file" in refused(folder)
    (folder / name).mkdir()
    assert f"is no preset: {name}: Is a directory" in refused(folder)


def test_sums_are_checked_first(folder):
    """Also of a config that would be refused anyway: nothing is read of what is damaged."""
    (folder / CONFIG).write_text("no JSON")
    assert f"is damaged: {CONFIG} has not the sum that {CARD} tells" in refused(folder)
    (folder / CONFIG).write_bytes(CONTENTS[CONFIG])
    (folder / WEIGHTS).write_bytes(b"weightz")
    assert f"is damaged: {WEIGHTS}" in refused(folder)
    # The test can fail: without the check what is damaged is read.
    wrong = mutant("zoo.core.presets", "digest(content) != sums[file]", "False")
    assert wrong.open_preset(folder).weights == b"weightz"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": None}, "has no sums"),
        ({"sha256": {CONFIG: digest(CONTENTS[CONFIG])}}, "has no sums"),
        ({"sha256": {"../x": "0", WEIGHTS: "0"}}, "has no sums"),
        ({"sha256": {CONFIG: "0", WEIGHTS: "0"}}, f"{CONFIG} has not the sum"),
        ({"zoo_version": "99.0"}, "written by version 99.0 of the zoo, and this is 0.2.0; a newer"),
        ({"zoo_version": "0.10.0"}, "written by version 0.10.0"),  # by numbers, not by letters
        ({"zoo_version": None}, "does not tell which version"),
        ({"zoo_version": "soon"}, "does not tell which version"),
    ],
)
def test_foreign_cards(tmp_path, changes, told):
    assert told in refused(write(tmp_path / "p", **changes))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[]", "holds no JSON object"),
        (b"\xff{", "holds no JSON object"),
        (b"[" * 100_000, "holds no JSON object"),
        (b'{"run": null}', "has no model"),
        (b'{"model": "VAE"}', "has no model"),
    ],
)
def test_foreign_configs(tmp_path, content, told):
    assert told in refused(write(tmp_path / "p", CONTENTS | {CONFIG: content}))


def test_names(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "PACKAGED", tmp_path / "presets")
    write(tmp_path / "presets" / "vae_digits")
    write(tmp_path / "x")
    monkeypatch.chdir(tmp_path / "presets")
    assert zoo.preset_names is presets.preset_names and zoo.preset_names() == ["vae_digits"]
    assert open_preset("vae_digits").label == "vae_digits"
    assert refused("vae_digit") == ("preset: unknown value 'vae_digit'; did you mean 'vae_digits'?")
    assert refused("glow") == "preset: unknown value 'glow'; known are 'vae_digits'."
    assert refused("vae_digits/../..") == refused(tmp_path).replace(
        str(tmp_path), "vae_digits/../.."
    )
    assert open_preset("../x").label == "x"  # a path like any other
    for name in ("nowhere/vae_digits", "../presets/y", "/vae_digits"):
        assert refused(name) == f"preset: there is no folder {name!r}."


@pytest.mark.parametrize("name", ["", "a", "a/b/c", "../b", "a/..", "a/b@", "a/b@../c", "a b/c"])
def test_names_on_the_hub(name):
    with pytest.raises(zoo.UsageError, match="preset must be hf://OWNER/NAME"):
        check_preset(f"hf://{name}")


ASK = """
import json, sys
from zoo.core.presets import open_preset
for name in sys.argv[1:]:
    try:
        preset = open_preset(name)
        print(preset.label, preset.weights.decode())
    except ValueError as error:
        print(error)
assert "tensorflow" not in sys.modules
"""


def ask(*names, **environment):
    result = subprocess.run(
        [sys.executable, "-c", ASK, *names],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_hub(tmp_path, folder):
    """From a folder that is laid out as the client's cache, without the network."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is an extra, mcmc-zoo[hub]")
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--me--digits.v1"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots").mkdir()
    blobs = shutil.copytree(folder, cached / "blobs")
    (cached / "snapshots" / commit).mkdir()
    for name in presets.FILES:
        (cached / "snapshots" / commit / name).symlink_to(blobs / name)
    names = ["hf://me/digits.v1", f"hf://me/digits.v1@{commit}", "hf://me/other"]
    found = ask(*names, HF_HUB_CACHE=str(tmp_path / "hub"), HF_HUB_OFFLINE="1")
    assert found[:2] == ["digits.v1 weights"] * 2
    assert found[2].startswith("preset: 'hf://me/other' cannot be downloaded: ")


def test_the_client_of_the_hub_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'mcmc-zoo[hub]'" in refused("hf://me/digits")
