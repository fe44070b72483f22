"""The fields of sequences: what they take, what they stand for, and how they are drawn."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.core.checks import UsageError
from zoo.core.fields import PixelField, check_batch
from zoo.core.sequences import (
    LengthField,
    RowsField,
    SequenceField,
    StrokesField,
    WaveformField,
)

STEPS, ROWS = SequenceField((4, 2), grid=0.5), RowsField((4, 2))
STROKES, WAVE = StrokesField((4, 3)), WaveformField((4, 50), rate=8000)
LENGTH = LengthField(max_length=4)


@pytest.mark.parametrize("field", [STEPS, ROWS, STROKES, WAVE, LENGTH], ids=repr)
def test_an_example_is_allowed(field):
    example = field.check("name", field.example())
    assert example.shape == (1, *field.shape) and field.allows(tf.constant(example))


@pytest.mark.parametrize("where", [1, 3])
@pytest.mark.parametrize("field", [STEPS, ROWS, STROKES, WAVE], ids=repr)
def test_nan_is_refused_within_the_length_and_behind_it(field, where):
    x = np.zeros((2, *field.shape), np.float32)
    x[1, where, 0] = np.nan
    with pytest.raises(UsageError, match="x must be finite; it holds NaN or infinite numbers."):
        check_batch({"x": field, "length": LENGTH}, {"x": x, "length": [4, 2]})
    assert not field.allows(tf.constant(x))


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (STROKES, np.zeros((2, 4, 2)), r"must have the shape \[N, 4, 3\]; it was \[2, 4, 2\]"),
        (STROKES, np.full((2, 4, 3), 0.5), "pen up, which is 0 or 1; they run from 0.5 to 0.5"),
        (STEPS, np.zeros((2, 3, 2)), r"must have the shape \[N, 4, 2\]; it was \[2, 3, 2\]"),
        (ROWS, np.full((2, 4, 2), 255), "must hold pixels in .* divide them by 255"),
        (WAVE, np.full((2, 4, 50), 900), "from 900 to 900; divide integers by the largest"),
        (LENGTH, [4, 0], "must hold lengths from 1 to 4; they run from 0 to 4"),
        (LENGTH, [5, 1], "must hold lengths from 1 to 4; they run from 1 to 5"),
        (LENGTH, [0.5], "must hold whole numbers"),
    ],
)
def test_refuses(field, values, message):
    with pytest.raises(UsageError, match=message):
        field.check("x", values)


def test_lengths_left_out_are_of_all_steps():
    batch = check_batch({"x": STEPS, "length": LENGTH}, np.zeros((3, 4, 2)))
    np.testing.assert_array_equal(batch["length"], [4, 4, 4])
    assert LengthField(max_length=4, batched=False).default("length", 1) == 4


def test_bytes_are_decoded_as_those_of_images():
    stored = tf.constant([[[0, 255]]], tf.uint8)
    for field in (ROWS, PixelField((4, 2))):
        np.testing.assert_array_equal(field.decode(stored), [[[0.0, 1.0]]])


def test_pictures_of_pixels_are_the_pixels():
    x = np.random.default_rng(0).random((5, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(ROWS.picture(x), x[..., None])
    assert PixelField((5, 4, 2)).picture(x) is x


def test_pictures_of_sequences_are_on_one_scale():
    x = np.array([[[0.0], [2.0]], [[-4.0], [0.0]]])
    drawn = SequenceField((2, 1)).picture(x)
    np.testing.assert_allclose(drawn[..., 0], [[[0.5], [0.75]], [[0.0], [0.5]]])


def test_the_pen_is_lifted_by_the_step_behind_pen_up():
    """A line to the right and, a move in the air later, one below it."""
    x = np.array([[0, 0, 0], [8, 0, 1], [-8, -8, 0], [8, 0, 1], [0, 0, 0]], np.float32)
    image = STROKES.picture(np.stack([x, 10 * x])[:, None])
    assert image.shape == (2, 1, 64, 64, 1) and image.min() >= 0 and image.max() == 1
    np.testing.assert_array_equal(image[0], image[1])  # whatever its size
    ink = image[0, 0, ..., 0] > 0.5
    middle = ink[:, 32]
    assert middle[:8].any() and middle[-8:].any() and not middle[8:-8].any()
    assert not ink[8:-8].any()  # between the lines, also where the pen moved in the air
    x[1, 2] = 0  # the pen stays down
    assert (STROKES.picture(x)[8:-8] > 0.5).any(axis=(1, 2)).all()


def test_strokes_keep_their_aspect_and_dots_are_seen():
    x = np.array([[0, 0, 0], [40, 0, 0], [0, 10, 0], [0, 0, 1]], np.float32)
    rows, columns = np.nonzero(STROKES.picture(x)[..., 0] > 0.5)
    assert np.ptp(columns) == pytest.approx(58, abs=2) and np.ptp(rows) == pytest.approx(15, abs=2)
    assert rows[columns.argmax()] < rows[columns.argmin()]  # dy is upwards
    assert STROKES.picture(np.zeros((4, 3))).max() > 0.5
    assert np.isfinite(STROKES.picture(np.full((4, 3), np.nan))).all()


def test_waves_are_drawn_on_one_scale():
    time = np.arange(200) / 200
    x = np.stack([np.sin(2 * np.pi * time), 0.5 * np.sin(2 * np.pi * time)]).reshape(2, 4, 50)
    images = WAVE.picture(x)
    assert images.shape == (2, 64, 192, 1) and images.any(axis=1).all()  # no column is empty
    rows, columns, _ = np.nonzero(images[0])
    assert columns[rows.argmin()] == pytest.approx(48, abs=8) and rows.min() == 0
    assert columns[rows.argmax()] == pytest.approx(144, abs=8) and rows.max() == 63
    assert np.nonzero(images[1])[0].min() == pytest.approx(16, abs=1)
    assert np.isfinite(WaveformField((1, 2)).picture(np.full((1, 2), np.nan))).all()
