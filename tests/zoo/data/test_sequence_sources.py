"""Sources of sequences: rows of digits, pen strokes and recordings; whole, cut and broken."""

import logging
import pathlib

import numpy as np
import pytest
import scipy.io.wavfile
import tensorflow as tf

import zoo
from zoo.core.sequences import RowsField, StrokesField, WaveformField
from zoo.data.strokes import grid_of

LENGTHS = np.array([2, 3, 4, 2, 3])
POINTS = np.random.default_rng(0).integers(-9, 9, (14, 3)) * 0.25
POINTS[:, 2] = 0
POINTS[LENGTHS.cumsum() - 1, 2] = 1
STROKES = {"points": POINTS, "lengths": LENGTHS}


def test_rows_of_digits_are_the_digits():
    rows, digits = zoo.data.load("digit_rows"), zoo.data.load("digits")
    assert rows.fields["x"] == RowsField((8, 8), grid=1 / 16) and rows.levels == 17
    assert rows.num_examples == digits.num_examples and rows.num_classes == 10
    one, other = next(iter(rows.test)), next(iter(digits.test))
    np.testing.assert_array_equal(one["x"][..., None], other["x"])
    np.testing.assert_array_equal(one["y"], other["y"])
    assert one["length"].dtype == tf.int32 and (one["length"].numpy() == 8).all()
    on_grid = one["x"].numpy() / rows.fields["x"].grid
    np.testing.assert_array_equal(on_grid, np.round(on_grid))


@pytest.fixture
def strokes(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "strokes.npz", **arrays)
        return f"strokes:{tmp_path / 'strokes.npz'}"

    return save


def test_strokes_are_padded_with_0(strokes):
    labels = np.array(["b", "a", "b", "a", "a"])
    is_test = np.array([0, 1, 0, 0, 0])
    data = zoo.data.load(strokes(**STROKES, labels=labels, is_test=is_test), batch_size=1)
    assert data.fields["x"] == StrokesField((4, 3), grid=0.25)
    assert data.fields["length"].max_length == 4 and data.class_names == ("a", "b")
    assert data.num_examples == {"train": 3, "validation": 1, "test": 1}
    (tested,) = data.test.as_numpy_iterator()
    np.testing.assert_array_equal(tested["x"][0, :3], POINTS[2:5].astype(np.float32))
    np.testing.assert_array_equal(tested["x"][0, 3:], 0)
    assert tested["length"] == 3 and tested["y"] == 0


def test_long_strokes_are_cut_and_told(strokes, caplog):
    with caplog.at_level(logging.WARNING):
        data = zoo.data.load(strokes(**STROKES), batch_size=1, max_length=3)
    assert "cut 1 of 5 sequences" in caplog.text and "max_length=3" in caplog.text
    assert data.shape == (3, 3)
    for split in (data.train, data.validation, data.test):
        for batch in split.as_numpy_iterator():
            assert batch["length"].min() >= 1 and batch["length"].max() <= 3
    with pytest.raises(zoo.UsageError, match="max_length must be greater than 0"):
        zoo.data.load(strokes(**STROKES), max_length=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": None}, r"must hold points \[total, 3\].*as numbers; it holds "),
        ({"points": POINTS[:, :2]}, r"must be numbers \[total, 3\].*\[14, 2\] of float64"),
        ({"points": POINTS.astype(str)}, r"must be numbers \[total, 3\].*of <U"),
        ({"points": np.where(POINTS[3] == POINTS, np.nan, POINTS)}, "x of .* must be finite"),
        ({"points": POINTS + 0.5}, "pen up, which is 0 or 1; they run from 0.* to 1.5"),
        ({"lengths": LENGTHS[:-1]}, "must sum to the number of points, 14; they sum to 11"),
        ({"lengths": np.array([0, 5, 4, 2, 3])}, "must hold lengths from 1 to 14; they run from 0"),
        ({"lengths": np.ones(14) * 1.5}, "must hold whole numbers; its dtype was float64"),
        ({"labels": np.zeros(4, int)}, r"labels of .* must be as long as lengths, 5; it was \[4\]"),
        ({"labels": np.zeros(5)}, "y of .* must hold whole numbers; its dtype was float64"),
        ({"is_test": np.full(5, 2)}, "is_test of .* must be a boolean mask, or hold 0 and 1"),
        ({"is_test": np.ones(5)}, "must leave examples to train on; it left none"),
    ],
)
def test_broken_strokes(strokes, changed, message):
    arrays = {name: a for name, a in (STROKES | changed).items() if a is not None}
    with pytest.raises(zoo.UsageError, match=message):
        zoo.data.load(strokes(**arrays))


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "a.npz").write_text("0 1 2")
    with pytest.raises(zoo.UsageError, match=r"np.savez\(path, points=..., lengths=...\)"):
        zoo.data.load(f"strokes:{tmp_path / 'a.npz'}")


def test_the_grid_is_found_through_rounding():
    generator = np.random.default_rng(0)
    steps = [0.3, 0.2, 0.2]
    whole = [generator.integers(-40, 40, (30, 2)) for _ in steps]
    noise = [generator.uniform(-1e-5, 1e-5, (30, 2)) for _ in steps]
    on_grids = [step * a + b for step, a, b in zip(steps, whole, noise, strict=True)]
    assert grid_of([a.astype(np.float32) for a in on_grids]) == pytest.approx(0.2, abs=1e-4)
    assert grid_of([0.2 * np.array([[10.0, 6], [15, 0]])]) == pytest.approx(0.2)  # no step is there
    assert grid_of([generator.normal(size=(30, 2)) for _ in steps]) == 0.0


def test_moments_are_of_steps_within_the_lengths(strokes):
    data = zoo.data.load(strokes(**STROKES, is_test=[1, 0, 0, 0, 0]), batch_size=1)
    steps = [b["x"][0][: b["length"][0]] for b in data.train.as_numpy_iterator()]
    mean, deviation = data.moments
    np.testing.assert_allclose(mean, np.concatenate(steps).mean(0), rtol=1e-6)
    np.testing.assert_allclose(deviation, np.concatenate(steps).std(0), rtol=1e-6)
    with pytest.raises(zoo.UsageError, match="not their shape alone: the moments are needed"):
        _ = zoo.data.as_data((4, 3), sequences=True).moments


X = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
LENGTH = np.array([1, 2, 3, 4, 1, 2])


@pytest.mark.parametrize(
    ("given", "length"),
    [
        (X, [4] * 6),
        ({"x": X, "length": LENGTH}, LENGTH),
        ((X, np.zeros(6, int)), [4] * 6),
        (tf.data.Dataset.from_tensor_slices({"x": X, "length": LENGTH}).batch(3), LENGTH),
        (tf.data.Dataset.from_tensor_slices(X).batch(3), [4] * 6),
    ],
)
def test_own_sequences(given, length):
    data = zoo.data.as_data(given, sequences=True)
    assert data.fields["x"].shape == (4, 2) and data.fields["length"].max_length == 4
    found = [batch["length"] for batch in data.train.as_numpy_iterator()]
    np.testing.assert_array_equal(np.concatenate(found), length)
    kept = np.arange(4) < np.array(length)[:, None]
    np.testing.assert_allclose(data.moments[0], X[kept].mean(0), rtol=1e-5)
    assert data.num_classes == int(isinstance(given, tuple))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": X, "length": LENGTH - 1}, "length must hold lengths from 1 to 4; .* from 0 to 3"),
        ({"x": X, "length": LENGTH + 1}, "length must hold lengths from 1 to 4; .* from 2 to 5"),
        ({"x": X, "length": LENGTH[:3]}, "length must be as long as x, 6; it was 3"),
        (np.where(X[2, 3] == X, np.nan, X), "x must be finite"),
        (X[..., None], r"must hold sequences \[T, D\]; their shape was \[4, 2, 1\]"),
        (zoo.data.load("digits"), "must hold sequences, with their length; it held x, y, index"),
    ],
)
def test_what_is_no_sequences(given, message):
    with pytest.raises(zoo.UsageError, match=message):
        zoo.data.as_data(given, sequences=True)


def tone(number, rate):
    return 0.5 * np.sin(2 * np.pi * 200 * np.arange(number) / rate)


TONE = tone(1000, 8000)


def record(path: pathlib.Path, samples=TONE, kind=np.int16, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == np.uint8:
        samples = np.round(128 + 128 * samples).astype(np.uint8)
    elif np.dtype(kind).kind == "i":
        samples = np.round(-float(np.iinfo(kind).min) * samples).astype(kind)
    scipy.io.wavfile.write(path, rate, np.asarray(samples, kind))


def recordings(folder, **options):
    splits, fields = zoo.data.registry.read_source(f"audio:{folder}", False, options)
    return splits["train"], fields


@pytest.mark.parametrize(
    ("kind", "bits"), [(np.uint8, 8), (np.int16, 16), (np.int32, 32), (np.float32, 0)]
)
def test_recordings_of_several_depths(tmp_path, kind, bits):
    record(tmp_path / "a.wav", kind=kind)
    arrays, fields = recordings(tmp_path)
    grid = 2.0 ** (1 - bits) if bits else 0.0
    assert fields["x"] == WaveformField((5, 200), rate=8000, grid=grid)
    np.testing.assert_allclose(arrays["x"].reshape(-1), TONE, atol=max(grid, 1e-6))


def test_recordings_of_24_bits(tmp_path):
    """Which SciPy does not write: a file of 16 bits, with the depth and the samples replaced."""
    record(tmp_path / "a.wav", np.zeros(3))
    head = bytearray((tmp_path / "a.wav").read_bytes()[:44])
    head[32:36] = (3).to_bytes(2, "little") + (24).to_bytes(2, "little")
    head[28:32], head[40:44] = (24000).to_bytes(4, "little"), (9).to_bytes(4, "little")
    head[4:8] = (45).to_bytes(4, "little")
    samples = b"".join(n.to_bytes(3, "little", signed=True) for n in (1, -(2**22), 2**21))
    (tmp_path / "a.wav").write_bytes(head + samples)
    arrays, fields = recordings(tmp_path, frame=3)
    np.testing.assert_array_equal(arrays["x"].reshape(-1), [2.0**-23, -0.5, 0.25])
    assert fields["x"].grid == 2.0**-23


def test_recordings_in_folders_are_classes_of_frames(tmp_path, caplog):
    stereo = np.stack([TONE, np.zeros(1000)], 1)
    for split, name in (("train", "one"), ("train", "two"), ("test", "one")):
        record(tmp_path / split / name / "a.WAV", stereo[: 500 if name == "two" else 1000])
    record(tmp_path / "train" / "two" / "0.wav", tone(2000, 16000), np.uint8, 16000)
    (tmp_path / "train" / "one" / "broken.wav").write_bytes(b"RIFF")
    whole = (tmp_path / "test" / "one" / "a.WAV").read_bytes()
    (tmp_path / "train" / "one" / "short.wav").write_bytes(whole[:-800])
    (tmp_path / "train" / "one" / "notes.txt").write_text("")
    with caplog.at_level(logging.WARNING):
        data = zoo.data.load(
            f"audio:{tmp_path}", batch_size=1, frame=300, max_length=3, verbose=False
        )
    assert "skipped 2 of 6 recordings" in caplog.text and "broken.wav" in caplog.text
    assert "no recordings of a kind that is read: .txt 1" in caplog.text
    assert "resampled 1 of 4 recordings" in caplog.text and "they had 16000 Hz" in caplog.text
    assert "cut 3 of 4 sequences" in caplog.text
    assert data.class_names == ("one", "two") and data.fields["x"].grid == 2 / 256  # the coarsest
    assert data.num_examples == {"train": 2, "validation": 1, "test": 1}
    (tested,) = data.test.as_numpy_iterator()
    np.testing.assert_allclose(tested["x"].reshape(-1), TONE[:900] / 2, atol=1e-4)  # of channels
    batches = [*data.train.as_numpy_iterator(), *data.validation.as_numpy_iterator()]
    (short,) = (b for b in batches if b["length"] == 2)
    np.testing.assert_array_equal(short["x"].reshape(-1)[500:], 0)
    (halved,) = (b for b in batches if b["length"] == 3 and b["y"] == 1)
    np.testing.assert_allclose(halved["x"].reshape(-1)[50:850], TONE[50:850], atol=0.02)


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda folder: None, r"must hold recording files \(.wav, .wave\); it has none"),
        (lambda folder: folder.rmdir(), "there is no folder"),
        (
            lambda folder: (folder / "a.wav").write_bytes(b"x"),
            "no whole recording; 'a.wav' is none",
        ),
        (lambda folder: record(folder / "a.wav", TONE[:0]), "no whole recording; .* 0 samples"),
        (lambda folder: record(folder / "a.wav", TONE * np.nan, "f4"), "holds NaN or infinite"),
    ],
)
def test_folders_without_recordings(tmp_path, fill, message):
    fill(tmp_path)
    with pytest.raises(zoo.UsageError, match=message):
        recordings(tmp_path)


def test_options_of_recordings(tmp_path):
    record(tmp_path / "a.wav")
    for name in ("rate", "frame", "max_length"):
        with pytest.raises(zoo.UsageError, match=f"{name} must be greater than 0; it was 0"):
            recordings(tmp_path, **{name: 0})
    with pytest.raises(zoo.UsageError, match="does not take size"):
        recordings(tmp_path, size=8)
