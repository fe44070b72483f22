"""Files that are cut off, or of which a byte is wrong, are read right or refused by one error."""

import numpy as np
import pytest
from bad_input import ask, damages, inputs, with_damage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_ink import TinyInk

import zoo


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Whole files of all kinds that are read."""
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    np.savez(folder / "stored.npz", x_train=x, x_test=x)
    np.savez_compressed(folder / "compressed.npz", x_train=x, x_test=x)
    (folder / "images").mkdir()
    for k in range(10):
        Image.fromarray(x[k]).save(folder / "images" / f"{k}.png")
    TinyInk(data_dir=folder / "tfds").download_and_prepare()
    return folder


def load(source, **options):
    return ask(lambda: zoo.data.load(source, batch_size=4, verbose=False, **options))


@inputs(60)
@given(damages, st.sampled_from(["stored", "compressed"]))
def test_npz(files, damage, name):
    path = files / f"{name}.npz"
    with with_damage(path, damage):
        load(f"npz:{path}")


@inputs(30)
@given(damages)
def test_images(files, damage):
    path = files / "images" / "3.png"
    with with_damage(path, damage):
        load(f"images:{path.parent}")


@inputs(15)
@given(damages)
def test_records(files, damage):
    (record,) = files.rglob("*.tfrecord*")
    with with_damage(record, damage):
        assert load("tiny_ink", data_dir=files / "tfds") is None, "records carry checksums"
