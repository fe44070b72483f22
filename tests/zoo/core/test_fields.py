"""What each field takes and refuses: of a user, and in the graph of a pipeline or an export."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import Field, IndexField, PixelField, check_batch
from zoo.core.labels import LabelField
from zoo.core.request_fields import CountField, MaskField, SeedField

IMAGES, LABELS = PixelField((2, 3)), LabelField(num_classes=3)
ONE = PixelField((2, 3), batched=False)
HALF = MaskField((2, 3), only=np.array([[True] * 3, [False] * 3]), called="bottom")
X = np.full((4, 2, 3), 0.5)


@pytest.mark.parametrize(
    ("field", "values", "dtype"),
    [
        (IMAGES, X, "float32"),
        (IMAGES, X.tolist(), "float32"),
        (IMAGES, X > 0.4, "float32"),
        (IMAGES, np.ones((1, 2, 3), np.uint8), "float32"),
        (ONE, X[0], "float32"),
        (LABELS, [2, -1, 0], "int32"),
        (LABELS, np.array([0, 2], np.uint8), "int32"),
        (IndexField(num_examples=5), [4, 0], "int32"),
        (Field((2,), "int32"), [[7, -8]], "int32"),
        (CountField(), 3, "int32"),
        (SeedField(), [0, -1], "int32"),
    ],
)
def test_takes(field, values, dtype):
    checked = field.check("name", values)
    assert checked.dtype == dtype
    np.testing.assert_array_equal(checked, values)
    assert field.allows(tf.constant(checked))
    assert field.spec("name").is_compatible_with(tf.constant(checked))


def changed(value):
    x = X.copy()
    x[1, 1, 1] = value
    return x


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (IMAGES, X[0], r"must have the shape \[N, 2, 3\]; it was \[2, 3\]\."),
        (IMAGES, 0.5, r"must have the shape \[N, 2, 3\]; it was \[\]\."),
        (ONE, X[:1], r"must have the shape \[2, 3\]; it was \[1, 2, 3\]\."),
        (IMAGES, X[:0], r"must be a batch of at least one example; it was \[0, 2, 3\]\."),
        (IMAGES, [[1], [1, 2]], "must be an array; NumPy cannot make one of it."),
        (IMAGES, X.astype(str), "must hold numbers; its dtype was <U"),
        (IMAGES, None, "must hold numbers; its dtype was object."),
        (IMAGES, X.astype(complex), "must hold numbers; its dtype was complex128."),
        (IMAGES, changed(np.nan), "must be finite; it holds NaN or infinite numbers."),
        (IMAGES, changed(1e300), "must be finite; it holds NaN or infinite numbers."),
        (Field((2, 3)), changed(np.inf), "must be finite; it holds NaN or infinite numbers."),
        (IMAGES, changed(16), r"must hold pixels in \[0, 1\]; they run from 0.5 to 16\."),
        (IMAGES, changed(1 + 1e-7), r"must .* 0.5 to 1.00000\d+; np.clip\(x, 0, 1\) takes"),
        (IMAGES, changed(-0.1), r"must hold pixels in \[0, 1\]; they run from -0.1 to 0.5\."),
        (LABELS, [0.0, 1.0], "must hold whole numbers; its dtype was float64."),
        (LABELS, [True], "must hold whole numbers; its dtype was bool."),
        (LABELS, [[0]], r"must have the shape \[N\]; it was \[1, 1\]\."),
        (LABELS, [0, 3], "must hold labels from 0 to 2, or -1 for not labelled; they run from 0"),
        (LABELS, [-2], "must hold labels from 0 to 2, or -1 for not labelled; they run from -2"),
        (LABELS, [2**32], "must hold labels from 0 to 2, or -1"),  # which would wrap to 0
        (IndexField(num_examples=5), [5], "must be below the number .* latents for, 5; they run"),
        (IndexField(num_examples=5), [-1], "must be below the number of examples"),
        (CountField(), 0, "must be greater than 0"),
    ],
)
def test_refuses(field, values, message):
    with np.errstate(over="ignore"), pytest.raises(zoo.UsageError, match=f"^name {message}"):
        field.check("name", values)


def test_masks():
    visible = HALF.only
    for field in (MaskField((2, 3)), HALF):
        for given in (visible, np.stack([visible] * 4)):
            checked = field.check("visible", given, 4)
            assert checked.shape == (4, 2, 3) and checked.dtype == bool
            assert (checked == visible).all() and field.allows(tf.constant(checked))
    for given, message in (
        (visible.astype(str), "must be a boolean mask; its dtype was <U5"),
        (visible * 7, "must be a boolean mask, or hold 0 and 1, or 0 and 255; .* from 0 to 7"),
        (visible * 0.5, "must be a boolean mask, or hold 0 and 1, or 0 and 255; .* from 0 to 0.5"),
        (visible[:1], r"must have the shape \[2, 3\] or \[4, 2, 3\]; it was \[1, 3\]"),
        (~visible, "must be the mask 'bottom' that the model was trained for"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            HALF.check("visible", given, 4)
    assert not HALF.allows(tf.constant(~visible))


@pytest.mark.parametrize("scale", [True, np.uint8(1), np.uint8(255), np.int64(255), 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_masks_as_people_have_them(scale, channels):
    """Of bytes or of numbers; without channels, or with one for all."""
    shape = (4, 5, channels)
    plane = np.arange(20).reshape(4, 5) % 3 == 0
    expected = np.broadcast_to(plane[..., None], (2, *shape))
    for given in (plane, plane[..., None], np.stack([plane] * 2), expected[0], expected):
        checked = MaskField(shape).check("visible", given * scale, 2)
        assert checked.dtype == bool
        np.testing.assert_array_equal(checked, expected)
    for given in (plane.T, plane[..., None, None], np.stack([plane] * 3), plane[0]):
        with pytest.raises(zoo.UsageError, match="visible must have the shape"):
            MaskField(shape).check("visible", given * scale, 2)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        *((IMAGES, [value]) for value in (-1e-3, 1.001, np.nan, np.inf)),
        *((Field(), [value]) for value in (np.nan, -np.inf)),
        *((LABELS, [value]) for value in (-2, 3)),
        *((IndexField(num_examples=5), [value]) for value in (-1, 5)),
        (CountField(), 0),
    ],
)
def test_a_graph_does_not_allow(field, values):
    """What comes in a graph, where a check can only say whether all is right."""
    assert not tf.function(field.allows)(tf.constant(values, field.dtype))


@pytest.mark.parametrize(
    "field", [IMAGES, ONE, LABELS, MaskField((2, 3)), HALF, CountField(), SeedField()]
)
def test_the_example_is_allowed(field):
    example = field.example()
    assert field.spec("name").is_compatible_with(tf.constant(example))
    np.testing.assert_array_equal(field.check("name", example), example)


def test_bytes_are_decoded():
    stored = np.array([[0, 51, 255]], np.uint8)
    pixels = PixelField((3,)).decode(tf.constant(stored))
    np.testing.assert_allclose(pixels, [[0, 0.2, 1]], rtol=1e-6)
    np.testing.assert_array_equal(PixelField((3,)).decode(pixels), pixels)
    assert LABELS.decode(tf.constant(stored)).dtype == tf.int32


def test_a_batch_has_every_field():
    fields = {"x": IMAGES, "y": LABELS, "index": IndexField(num_examples=5)}
    batch = check_batch(fields, {"y": [0, 1, 2, -1], "x": X, "other": None})
    assert list(batch) == ["x", "y", "index"]
    np.testing.assert_array_equal(batch["index"], np.arange(4))
    batch = check_batch(fields, {"x": X, "y": [0] * 4, "index": [4, 3, 2, 1]})
    np.testing.assert_array_equal(batch["index"], [4, 3, 2, 1])
    for given, message in (
        (X, "y must be given, which the model takes; it was missing"),
        ({"images": X}, r"x must be a key of the dictionary of arrays; it had \['images'\]"),
        ({"x": X, "y": [0]}, "y must be as long as x, 4; it was 1"),
        ({"x": np.concatenate([X, X]), "y": [0] * 8}, "index must be below the number of examples"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            check_batch(fields, given)
