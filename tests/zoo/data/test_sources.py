"""Sources of images: TFDS, npz files, folders; whole, prepared and broken."""

import os
import pathlib
import socket
import threading
import time
import urllib.request
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tiny_ink import TinyInk

import zoo


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    TinyInk(data_dir=folder).download_and_prepare()
    return folder


def everything(data):
    """All images and classes of all splits, by split."""
    splits = {}
    for name in ("train", "validation", "test"):
        elements = list(getattr(data, name).as_numpy_iterator())
        splits[name] = {
            key: np.concatenate([element[key] for element in elements]) for key in elements[0]
        }
    return splits


def test_tfds(data_dir):
    data = zoo.data.load("tiny_ink", data_dir=data_dir, batch_size=4)
    assert data.shape == (12, 10, 1) and data.num_classes == 4
    assert data.num_examples == {"train": 32, "validation": 4, "test": 4}
    splits = everything(data)
    for arrays in splits.values():
        levels = np.round(255 * arrays["x"][:, 0, 0, 0]).astype(int)
        np.testing.assert_array_equal(arrays["y"], levels % 4)
    levels = np.concatenate([arrays["x"][:, 0, 0, 0] for arrays in splits.values()])
    np.testing.assert_allclose(np.sort(levels), np.arange(40) / 255, atol=1e-7)


def test_the_splits_do_not_depend_on_the_seed(data_dir):
    first, second = (
        everything(zoo.data.load("tiny_ink", data_dir=data_dir, batch_size=4, seed=seed))
        for seed in (0, 1)
    )
    for name in ("train", "validation", "test"):
        order = [np.argsort(splits[name]["index"]) for splits in (first, second)]
        np.testing.assert_array_equal(first[name]["x"][order[0]], second[name]["x"][order[1]])


@pytest.mark.parametrize("kept", [0, 100])
def test_truncated_records(kept, tmp_path):
    TinyInk(data_dir=tmp_path).download_and_prepare()
    (record,) = tmp_path.rglob("*.tfrecord*")
    record.write_bytes(record.read_bytes()[:kept])
    with pytest.raises(zoo.UsageError, match="'tiny_ink' could not be read"):
        zoo.data.load("tiny_ink", data_dir=tmp_path, batch_size=4)


@pytest.mark.parametrize(
    ("name", "options", "shape", "splits"),
    [
        ("mnist", {}, (28, 28, 1), ("train", "test")),
        ("omniglot", {"size": 28, "grey": True, "invert": True}, (28, 28, 1), ("train", "test")),
        ("svhn_cropped", {}, (32, 32, 3), ("train", "test")),
        ("cifar10", {}, (32, 32, 3), ("train", "test")),
        ("celeb_a", {"size": 64}, (64, 64, 3), ("train", "validation", "test")),
    ],
)
def test_named_image_sets(name, options, shape, splits):
    """The code of the real sets, on random images with their features."""
    known = tfds.core.SplitDict(
        [
            tfds.core.SplitInfo(name=split, shard_lengths=[20], num_bytes=0, filename_template=None)
            for split in splits
        ]
    )
    with (
        tfds.testing.mock_data(num_examples=20),
        mock.patch.object(tfds.core.DatasetInfo, "splits", known),
        mock.patch("zoo.data.tfds._answers", return_value=True),
    ):
        data = zoo.data.load(name, batch_size=5, **options)
    assert data.shape == shape
    assert data.num_examples["test"] == 20
    assert data.num_examples["train"] == (20 if "validation" in splits else 18)
    assert (data.num_classes > 0) == (name != "celeb_a")
    x = next(iter(data.train))["x"].numpy()
    assert x.shape == (5, *shape) and x.min() >= 0 and x.max() <= 1 and x.std() > 0


def no_host(*arguments, **options):
    raise socket.gaierror("Name or service not known")


def a_slow_one(*arguments, **options):
    threading.Event().wait(20)
    raise TimeoutError


@pytest.mark.parametrize("connect", [no_host, a_slow_one])
@pytest.mark.parametrize(
    ("name", "set_name"),
    [("mnist", "mnist"), ("tfds:cifar10", "cifar10"), ("mnist:3.*.*", "mnist")],
)
def test_what_is_not_prepared_is_told_at_once(name, set_name, connect, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(zoo.data.tfds._answers, "__defaults__", (0.2,))
    message = (
        f"TFDS's '{set_name}' is not prepared in .*, and its host .* does not answer: .*"
        f"`tfds build {set_name} --data_dir={tmp_path}` prepares it"
    )
    started = time.monotonic()
    with pytest.raises(zoo.UsageError, match=message):
        zoo.data.load(name, data_dir=tmp_path, verbose=False)
    assert time.monotonic() - started < 5


def test_what_needs_no_network_asks_for_none(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", no_host)
    data = zoo.data.load("tiny_ink", data_dir=tmp_path, batch_size=4, verbose=False)
    assert data.num_examples["train"] == 32


REAL = os.environ.get("TFDS_DATA_DIR", "")


@pytest.mark.skipif(
    not pathlib.Path(REAL, "mnist").is_dir(), reason="needs TFDS_DATA_DIR with a prepared MNIST"
)
def test_real_mnist():
    data = zoo.data.load("mnist", data_dir=REAL, batch_size=250)
    assert data.num_examples == {"train": 54_000, "validation": 6_000, "test": 10_000}
    x = next(iter(data.test))["x"].numpy()
    assert 0.1 < x.mean() < 0.16 and x.max() == 1  # ink is bright


def arrays(dtype=np.uint8, shape=(8, 6), channels=()):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (30, *shape, *channels))
    x = x.astype(dtype) if np.dtype(dtype).kind in "iu" else (x / 255).astype(dtype)
    y = np.arange(30) % 3
    return {"x_train": x[:20], "y_train": y[:20], "x_test": x[20:], "y_test": y[20:]}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_npz(dtype, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(dtype))
    data = zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=6)
    assert data.shape == (8, 6, 1) and data.num_classes == 3
    assert data.num_examples == {"train": 18, "validation": 2, "test": 10}
    test = everything(data)["test"]
    np.testing.assert_allclose(test["x"][..., 0], arrays()["x_test"] / 255, atol=1e-6)
    np.testing.assert_array_equal(test["y"], arrays()["y_test"])


def test_preparation(tmp_path):
    """The middle square, grey and inverted, in this order."""
    x = np.zeros((10, 8, 16, 3), np.uint8)
    x[:, :, 4:12] = 200  # all of the middle square
    np.savez(tmp_path / "a.npz", x_train=x, x_test=x)
    data = zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=5, size=4, grey=True, invert=True)
    assert data.shape == (4, 4, 1) and data.num_classes == 0
    np.testing.assert_allclose(next(iter(data.train))["x"], 55 / 255, atol=1 / 255)


@pytest.fixture
def folder(tmp_path):
    """Red and green pictures of two sizes, by class."""
    for k, (name, colour) in enumerate({"red": (255, 0, 0), "green": (0, 255, 0)}.items()):
        (tmp_path / name).mkdir()
        for j in range(10):
            image = Image.new("RGB", (8 + 4 * (j % 2), 8), colour)
            image.save(tmp_path / name / f"{j}.{'png' if k else 'jpg'}", quality=95)
    return tmp_path


def test_images(folder):
    data = zoo.data.load(f"images:{folder}", batch_size=4, size=8)
    assert data.shape == (8, 8, 3) and data.num_classes == 2
    assert data.num_examples == {"train": 16, "validation": 2, "test": 2}
    for arrays in everything(data).values():
        green = arrays["x"].mean((1, 2))[:, 1]
        np.testing.assert_allclose(green, arrays["y"] == 0, atol=0.02)


def test_images_in_named_splits(folder, tmp_path_factory):
    splits = tmp_path_factory.mktemp("splits")
    for name in ("train", "test"):
        (splits / name).mkdir()
        for source in ("red", "green"):
            (splits / name / source).symlink_to(folder / source)
    data = zoo.data.load(f"images:{splits}", batch_size=4, size=4, grey=True)
    assert data.num_examples == {"train": 18, "validation": 2, "test": 20}
    assert data.shape == (4, 4, 1)


def test_classes_are_folders(tmp_path):
    """By their whole path: alphabets share the names of their letters."""
    for k, name in enumerate(["greek/01", "greek/02", "latin/01"]):
        (tmp_path / name).mkdir(parents=True)
        for j in range(5):
            Image.fromarray(np.full((4, 4), 80 * k, np.uint8)).save(tmp_path / name / f"{j}.png")
    data = zoo.data.load(f"images:{tmp_path}", batch_size=2)
    assert data.num_classes == 3
    for arrays in everything(data).values():
        levels = np.round(255 * arrays["x"][:, 0, 0, 0]) / 80
        np.testing.assert_array_equal(arrays["y"], levels)


def test_splits_without_classes(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        for j in range(5):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / f"{j}.png")
    data = zoo.data.load(f"images:{tmp_path}", batch_size=2)
    assert data.num_classes == 0 and data.num_examples["test"] == 5
    (tmp_path / "extra").mkdir()
    with pytest.raises(zoo.UsageError, match="no other beside them but validation"):
        zoo.data.load(f"images:{tmp_path}", batch_size=2)


def test_depth_and_transparency(tmp_path):
    """Sixteen bits keep their levels; ink on nothing is ink on white paper."""
    ramp = np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4)
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[:2, :, 3] = 255
    for folder, pixels in (("deep", ramp), ("ink", ink)):
        (tmp_path / folder).mkdir()
        for k in range(12):
            Image.fromarray(pixels).save(tmp_path / folder / f"{k}.png")
    deep = everything(zoo.data.load(f"images:{tmp_path / 'deep'}", batch_size=2))
    np.testing.assert_allclose(deep["test"]["x"][0, ..., 0], ramp / 65535, atol=1e-6)
    inked = everything(zoo.data.load(f"images:{tmp_path / 'ink'}", batch_size=2, grey=True))
    np.testing.assert_allclose(inked["test"]["x"][0, :, 0, 0], [0, 0, 1, 1], atol=1e-6)


def test_binary_integers(tmp_path):
    x = (np.arange(20 * 16) % 2).reshape(20, 4, 4).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, x_test=0 * x)
    test = everything(zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=2))
    assert test["train"]["x"].max() == 1 and test["test"]["x"].max() == 0


def test_what_sources_refuse(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    npz, whole = other / "a.npz", arrays()

    def saved(**changes):
        np.savez(npz, **{k: v for k, v in (whole | changes).items() if v is not None})
        return f"npz:{npz}"

    (other / "text.npz").write_text("no arrays")
    broken = other / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (other / "empty").mkdir()
    for message, source in {
        "cannot read .*no.npz': No such file": lambda: f"npz:{other / 'no.npz'}",
        "text.npz' is not a whole npz file": lambda: f"npz:{other / 'text.npz'}",
        "must hold x_train, .*; it holds y_train": lambda: saved(x_train=None),
        "must be finite": lambda: saved(x_train=np.full((20, 8, 6), np.nan)),
        r"must hold pixels in \[0, 1\]; they run from -1": lambda: saved(
            x_train=-np.ones((20, 8, 6))
        ),
        "must hold numbers .N, height, width. or": lambda: saved(x_train=np.zeros((20, 48))),
        r"must have the shape \[N, 8, 6, 1\]": lambda: saved(x_test=np.zeros((5, 6, 6), np.uint8)),
        "must hold bytes from 0 to 255, .* integers run from 0 to 16": lambda: saved(
            x_train=np.arange(17 * 48).reshape(17, 8, 6) % 17, x_test=np.zeros((5, 8, 6), int)
        ),
        r"y of .* train must be as long as x, 20; it was \[3\]": lambda: saved(
            y_train=np.zeros((3,), int)
        ),
        "y of .* train must hold labels from 0 to 2, or -1 .*; they run from -2": lambda: saved(
            y_train=np.full(20, -2)
        ),
        "y of .* test must hold whole numbers; its dtype was float64": lambda: saved(
            y_test=np.zeros(10)
        ),
        "x of .* is kept as Python objects": lambda: saved(x_test=np.array([None] * 3)),
        "must have one size; they were 8 by": lambda: f"images:{folder}",
        "holds no whole image; 'a.png' is none": lambda: f"images:{broken}",
        "must hold image files": lambda: f"images:{other / 'empty'}",
        "there is no folder": lambda: f"images:{other / 'nowhere'}",
        f"'{folder}' is a folder, which is written 'images:{folder}'": lambda: str(folder),
        "'imdb_reviews' is not a set of images": lambda: "imdb_reviews",
        "unknown value 'mnits'; did you mean 'mnist'": lambda: "mnits",
        "unknown value 'qqqqqq'; it may be .*'digits', 'images:DIR', 'npz:PATH'": lambda: "qqqqqq",
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            zoo.data.load(source(), batch_size=4)
    with pytest.raises(zoo.UsageError, match="size must be greater than 0; it was 0"):
        zoo.data.load(f"images:{folder}", size=0)
