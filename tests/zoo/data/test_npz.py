"""Archives of arrays as people have them: what can only mean one thing works, the rest is told."""

import pickle

import numpy as np
import pytest

import zoo
from zoo.data.registry import read_source

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (20, 8, 6), np.uint8)
RGB = RNG.integers(0, 256, (20, 8, 6, 3), np.uint8)
Y = np.arange(20) % 3


def read(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    splits, fields = read_source(f"npz:{tmp_path / 'a.npz'}", False, {})
    pixels = {k: fields["x"].decode(a["x"]).numpy() for k, a in splits.items()}
    return pixels, {k: a["y"] for k, a in splits.items() if "y" in a}, fields


@pytest.mark.parametrize(
    "arrays",
    [
        {"x_train": X, "y_train": Y},
        {"x": X, "y": Y},
        {"X": X, "Y": Y},
        {"X_train": X, "Y_train": Y},
        {"images": X, "labels": Y},
        {"train_images": X, "train_labels": Y},
        {"image": X, "label": Y},
        {"data": X, "target": Y},
        {"train_x": X, "train_y": Y},
        {"x-train": X, "y-train": Y},
        {"train": X, "y": Y},
        {"x_train_images": X, "y_train_labels": Y},
        {"trainX": X, "trainY": Y},
        {"arr_0": X, "arr_1": Y},
        {"x": X, "y": Y, "weights": np.zeros(3), "note": np.array("of a camera")},
        {"x": X, "y": Y[:, None]},
        {"x": X, "y": np.eye(3)[Y]},
        {"x": X, "y": np.eye(3, dtype=np.uint8)[Y]},
        {"x": X[:, None], "y": Y},
        {"x": X[..., None], "y": Y},
        {"x": X.astype(np.int64), "y": Y.astype(np.uint8)},
        {"x": X.astype(np.float32), "y": Y},
        {"x": X / 255, "y": Y},
    ],
    ids=lambda arrays: " ".join(f"{k}{list(np.shape(v))}{v.dtype}" for k, v in arrays.items()),
)
def test_what_simply_works(arrays, tmp_path):
    x, y, fields = read(tmp_path, **arrays)
    assert fields["x"].shape == (8, 6, 1)
    np.testing.assert_allclose(x["train"][..., 0], X / 255, atol=1e-6)
    np.testing.assert_array_equal(y["train"], Y)
    assert zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=4).num_examples["test"] == 2


@pytest.mark.parametrize("x", [RGB, RGB.transpose(0, 3, 1, 2), RGB / 255])
def test_channels_first_or_last(x, tmp_path):
    seen, _, _ = read(tmp_path, x=x)
    np.testing.assert_allclose(seen["train"], RGB / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("validation", "test"),
    [("x_val", "x_test"), ("x_valid", "X_TEST"), ("val_images", "test_images"), ("val", "test")],
)
def test_splits_by_any_name(validation, test, tmp_path):
    train = test.lower().replace("test", "train")
    x, _, _ = read(tmp_path, **{train: X, validation: X[:5], test: X[5:8]})
    assert {k: len(v) for k, v in x.items()} == {"train": 20, "validation": 5, "test": 3}


def test_one_array(tmp_path):
    np.save(tmp_path / "a.npy", X)
    data = zoo.data.load(f"npz:{tmp_path / 'a.npy'}", batch_size=4)
    assert data.shape == (8, 6, 1) and data.num_classes == 0


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_classes_by_name(dtype, tmp_path):
    names = np.array(["dog", "cat", "emu"])[Y].astype(dtype)
    np.savez(tmp_path / "a.npz", x=X, y=names)
    data = zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=4)
    assert data.class_names == ("cat", "dog", "emu")
    y = read_source(f"npz:{tmp_path / 'a.npz'}", False, {})[0]["train"]["y"]
    np.testing.assert_array_equal(np.array(data.class_names)[y], names.astype(str))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"foo": X}, r"must hold x_train, .*; it holds foo \[20, 8, 6\] uint8\."),
        ({}, "must hold x_train, .*; it holds nothing"),
        ({"x_test": X}, r"must hold x_train, .*; it holds x_test \[20, 8, 6\] uint8"),
        ({"x": X, "images": X}, "must say which .* x of train is; it holds x and images"),
        ({"arr_0": X, "arr_1": X}, "arr_1 .*must hold|y of .*must"),
        ({"x": np.full((9, 4, 4), np.inf)}, "must be finite; it holds NaN or infinite"),
        ({"x": X, "y": np.full(20, 2**63, np.uint64)}, "y must hold labels below 2147483647; it h"),
        (
            {"x_train": X, "y_train": Y.astype(str), "x_test": X, "y_test": Y},
            "y must hold names in all splits or in none; they are in train",
        ),
        ({"x": X, "y": Y[:3]}, r"y of .* train must be as long as x, 20; it was \[3\]"),
        ({"x": X, "y": Y / 2}, "y of .* train must hold whole numbers"),
        ({"x": X, "y": RNG.random((20, 3))}, r"y .* must be as labels \[N\], or one-hot .*20, 3"),
        (
            {"x": X.reshape(20, 48)},
            r"must hold numbers \[N, height, width\] or .*; it was \[20, 48\] of uint8",
        ),
        ({"x": RNG.random((20, 784))}, r"was \[20, 784\] of float64, which may be \[20, 28, 28\]"),
        ({"x": RNG.random((20, 3072))}, r"which may be \[20, 32, 32, 3\]"),
        ({"x": np.array([None] * 20)}, "x of .* as Python objects, .* np.stack"),
        ({"x": X, "y": Y.astype(object)}, "y of .* as Python objects, .* np.stack"),
        ({"x": np.array(["a.png"] * 20)}, r"must hold numbers .* it was \[20\] of <U5"),
        ({"x": X / 127.5 - 1}, r"must hold pixels in \[0, 1\]; they run from -1"),
        ({"x": X.astype(np.uint16) * 257}, "must hold bytes from 0 to 255, or .*from 0 to 65535"),
        ({"x": X.reshape(20, 8, 3, 2)}, r"must hold images of 1 or 3 channels, .*\[20, 8, 3, 2\]"),
        ({"x": np.stack([X] * 4, -1)}, r"must hold images of 1 or 3 channels, .*\[20, 8, 6, 4\]"),
        ({"x": np.moveaxis(np.stack([X] * 3, -1), 0, -1)}, r"1 or 3 channels, .*\[8, 6, 3, 20\]"),
        ({"x": X / 255.0 * 200.5}, r"must hold pixels in \[0, 1\]; they run from 0 to 2"),
    ],
)
def test_what_is_told(arrays, message, tmp_path):
    with pytest.raises(zoo.UsageError, match=message):
        np.savez(tmp_path / "a.npz", **arrays)
        zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=1)


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.csv", b"1,2,3\n4,5,6\n", "is not a whole npz file: it is text; .*np.savez"),
        ("a.txt", b"1 2 3\n4 5 6\n", "is not a whole npz file: it is text"),
        ("a.pkl", pickle.dumps({"x": X}), "it is pickled, which is not read, since it could run"),
        ("a.npz", pickle.dumps([X]), "it is pickled"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"0" * 100, "is not a whole npz file"),
        ("a.npz", b"", "is not a whole npz file"),
        ("a.npz", b"PK\x03\x04 and no more", "is not a whole npz file"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "is not a whole npz file.*images:DIR"),
    ],
)
def test_other_files(name, contents, message, tmp_path):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(zoo.UsageError, match=message):
        zoo.data.load(f"npz:{tmp_path / name}")
    with pytest.raises(
        zoo.UsageError, match="must be a file; for a folder of pictures .* 'images:DIR'"
    ):
        zoo.data.load(f"npz:{tmp_path}")
