"""Own pictures and masks, prepared as a data set's images were."""

import types

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.core.request_fields import MaskField
from zoo.data.masks import completion_masks
from zoo.data.pictures import own_image, own_mask, own_preparation

SHAPE = (4, 6, 1)
HALF = np.zeros((4, 6), bool)
HALF[:, :3] = True  # the left is visible


def written(values, path):
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)
    return str(path)


BYTES = (255 * HALF).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a.png", BYTES),
        ("a.PNG", np.stack([BYTES] * 3, -1)),
        ("a.png", HALF),
        ("a.tif", (65535 * HALF).astype(np.uint16)),
        ("a.bmp", np.where(HALF, 200, 90).astype(np.uint8)),
        ("a.npy", HALF),
        ("a.npy", BYTES),
        ("a.npy", HALF.astype(np.uint8)),
        ("a.npy", HALF[..., None].astype(np.float32)),
        ("a.npy", np.stack([HALF] * 3, -1)),
        ("a.npy", np.stack([HALF] * 3)),
        ("a.npy", HALF[None]),
        ("a.png", BYTES.repeat(10, 0).repeat(10, 1)),
        ("a.npy", np.pad(BYTES.repeat(10, 0).repeat(10, 1), [(30, 30), (0, 0)])),
    ],
)
def test_white_is_visible(name, values, channels, tmp_path):
    """Of any kind of file, in the size of the images or of a picture that is cut with it."""
    shape = (*SHAPE[:2], channels)
    visible = own_mask(written(values, tmp_path / name), shape)
    assert visible.dtype == bool
    np.testing.assert_array_equal(visible, np.broadcast_to(HALF[..., None], shape))


def test_a_mask_for_each_channel(tmp_path):
    values = np.random.default_rng(0).random((4, 6, 3)) < 0.5
    path = written(values, tmp_path / "a.npy")
    np.testing.assert_array_equal(own_mask(path, values.shape), values)
    with pytest.raises(zoo.UsageError, match=r"must have the shape \[4, 6\] or \[4, 6, 1\]; it wa"):
        own_mask(path, SHAPE)


@pytest.mark.parametrize(
    ("options", "columns"), [({}, slice(6, 18)), ({"crop": False}, slice(0, 24))]
)
def test_pictures_are_prepared_as_the_data(options, columns, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (8, 24, 3), np.uint8)
    path = written(x, tmp_path / "a.png")
    seen = own_image(path, own_preparation(SHAPE, {"invert": True, "size": 99} | options))
    assert seen.shape == SHAPE and seen.dtype == np.float32
    grey = 1 - x[:, columns] @ [0.2989, 0.587, 0.114] / 255
    assert seen.mean() == pytest.approx(grey.mean(), abs=0.01)
    squeeze = own_preparation(SHAPE, options)
    mask = own_mask(written(x[..., 0] >= 0, tmp_path / "b.npy"), SHAPE, squeeze)
    assert mask.all()


def test_arrays_are_pictures_too(tmp_path):
    prepare = own_preparation((4, 6, 3), {})
    for values in (BYTES, HALF.astype(float), np.stack([BYTES] * 3, -1), np.stack([BYTES] * 3)):
        x = own_image(written(values, tmp_path / "a.npy"), prepare)
        np.testing.assert_allclose(x, np.stack([HALF] * 3, -1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("no.png", None, "there is no file"),
        ("a.txt", b"text", r"must end in \.png, "),
        ("a.png", b"\x89PNG\r\n\x1a\n and no more", "is not a whole file"),
        ("a.npy", b"", "is not a whole file"),
        ("a.npy", np.zeros(5), r"must hold numbers .* it was \[5\] of float64"),
        ("a.npy", np.zeros((4, 6, 4)), r"must hold numbers .* it was \[4, 6, 4\]"),
        ("a.npy", np.zeros((2, 4, 6), bool), r"must hold numbers .* it was \[2, 4, 6\]"),
        ("a.npy", np.zeros((2, 4, 6, 1)), r"must hold numbers .* it was \[2, 4, 6, 1\]"),
        ("a.npy", np.zeros((4, 6), "U3"), "must hold numbers"),
        ("a.npy", np.zeros((0, 6)), "must hold numbers"),
        ("a.npy", np.full((4, 6), 7), "must "),
        ("a.npy", np.full((4, 6), np.nan), "must "),
    ],
)
def test_what_is_no_picture_and_no_mask(name, values, message, tmp_path):
    path = tmp_path / name
    if isinstance(values, bytes):
        path.write_bytes(values)
    elif values is not None:
        np.save(path, values)
    with pytest.raises(zoo.UsageError, match=f"^image: .*{message}"):
        own_image(str(path), own_preparation(SHAPE, {}))
    with pytest.raises(zoo.UsageError, match=f"^mask: .*{message}"):
        own_mask(str(path), SHAPE)


def test_masks_of_files_beside_known_ones(tmp_path):
    path = written(HALF, tmp_path / "hole.npy")
    anything = types.SimpleNamespace(visible_field=MaskField(SHAPE))
    masks = completion_masks(anything, ["top", path])
    assert list(masks) == ["top", "hole"]
    np.testing.assert_array_equal(masks["hole"][..., 0], HALF)
    one = types.SimpleNamespace(visible_field=MaskField(SHAPE, only=masks["hole"], called="right"))
    assert list(completion_masks(one, [path])) == ["right"]
    top = written(masks["top"], tmp_path / "top.npy")
    for model, names, coverage, message in (
        (anything, ["top", top], None, "mask must have a name for each; it was top,"),
        (anything, [path], 0.3, "coverage must be left out with the mask .*hole.npy', a file"),
        (one, [top], None, "top.npy' must be the mask 'right' that the model was trained for"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            completion_masks(model, names, coverage=coverage)
