"""Sources that register themselves: with a path or a name, options and fields of their own."""

import dataclasses
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import Field
from zoo.data import registry


@dataclasses.dataclass(frozen=True)
class LengthField(Field):
    """How many entries of a sequence count."""

    dtype: str = "int32"
    longest: int = 0

    @property
    def rule(self):
        return f"must hold lengths from 1 to {self.longest}"

    def allows(self, values):
        return tf.reduce_all((values >= 1) & (values <= self.longest))


def sequence_fields(splits):
    longest, width = splits["train"]["x"].shape[1:]
    return {"x": Field((longest, width)), "length": LengthField(longest=longest)}


@pytest.fixture(autouse=True)
def waves(monkeypatch):
    """A source of sequences, known within a test."""
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))

    @zoo.data.register_source("waves", name="PITCH", fields=sequence_fields)
    def read_waves(pitch, *, steps=6, shortest=1, verbose=True):
        x = np.sin(float(pitch) * np.arange(40 * steps)).reshape(40, steps, 1)
        return {"train": {"x": x, "length": np.arange(40) % steps + shortest, "unused": x}}


def test_a_source_of_ones_own():
    data = zoo.data.load("waves:0.5", batch_size=4, steps=5)
    assert data.shape == (5, 1) and data.num_classes == 0
    assert data.num_examples == {"train": 32, "validation": 4, "test": 4}
    assert list(data.fields) == ["x", "length", "index"]
    batch = next(iter(data.train))
    assert set(batch) == set(data.fields)
    assert batch["x"].dtype == "float32" and batch["x"].shape == (4, 5, 1)
    assert batch["length"].dtype == "int32"


def test_the_one_that_the_docs_write():
    page = (pathlib.Path(__file__).parents[3] / "docs" / "data.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found = {}
    exec(program, found)
    data = found["data"]
    assert data.shape == (8, 8, 1) and data.num_classes == 2
    assert data.num_examples == {"train": 405, "validation": 45, "test": 50}
    batch = next(iter(data.train))
    np.testing.assert_array_equal(batch["x"][:, 0, 0, 0], batch["y"])


def test_what_it_refuses():
    for source, options, message in (
        ("waves", {}, "data: 'waves' must be written 'waves:PITCH'; it was 'waves'"),
        ("waves:1", {"width": 3}, "data: 'waves' does not take width; it takes shortest, steps"),
        ("waves:1", {"grey": True}, "data: 'waves' does not take grey"),
        ("waves:1", {"shortest": 0}, "data: length of waves:1 train must hold lengths from 1 to 6"),
        ("waves:nan", {}, "data: x of waves:nan train must be finite"),
        ("wave", {}, "data: unknown value 'wave'; did you mean 'waves'"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            zoo.data.load(source, batch_size=4, **options)


def test_a_field_that_a_source_does_not_bring():
    @zoo.data.register_source("silence", fields=lambda splits: {"x": Field((2,)), "y": Field()})
    def read_silence():
        return {"train": {"x": np.zeros((9, 2))}}

    with pytest.raises(zoo.UsageError, match="data: silence train must have y; it has x"):
        zoo.data.load("silence")


def test_how_sources_are_written(tmp_path, monkeypatch):
    assert zoo.data.sources() == {
        "audio": "audio:DIR",
        "digit_rows": "digit_rows",
        "cluttered": "cluttered:SOURCE",
        "digits": "digits",
        "images": "images:DIR",
        "npz": "npz:PATH",
        "strokes": "strokes:PATH",
        "tfds": "tfds:NAME",
        "waves": "waves:PITCH",
    }
    monkeypatch.chdir(tmp_path)
    for source, absolute in {
        "digits": "digits",
        "waves:1": "waves:1",
        "mnist:3.0.1": "mnist:3.0.1",
        "npz:a.npz": f"npz:{tmp_path.resolve() / 'a.npz'}",
        "images:~": f"images:{pathlib.Path.home().resolve()}",
    }.items():
        assert zoo.data.absolute_source(source) == absolute


def test_what_a_source_is_called_in_names_of_folders(monkeypatch, tmp_path):
    (tmp_path / "My photos (2)").mkdir()
    (tmp_path / "a.b.npz").touch()
    monkeypatch.chdir(tmp_path / "My photos (2)")
    for source, name in {
        "digits": "digits",
        "mnist:3.0.1": "mnist_3.0.1",
        "imagenet_resized/8x8": "imagenet_resized_8x8",
        "images:.": "My_photos_2_",
        "images:../My photos (2)/": "My_photos_2_",
        "images:/": "images",
        "npz:../a.b.npz": "a.b",
        "cluttered:npz:../a.b.npz": "cluttered_a.b",
    }.items():
        assert zoo.data.source_name(source) == name
