"""Windows of attention against the paper's formulas, and what they must be in closed form."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

from layers import attention

NAME = attention.__name__
RNG = np.random.default_rng(0)
SHAPE, SIZE = (6, 9, 2), 3
PARAMETERS = RNG.normal(0, 0.4, (4, 5)).astype("f")
IMAGES = RNG.random((4, *SHAPE)).astype("f")
PATCHES = RNG.normal(size=(4, SIZE, SIZE, SHAPE[-1])).astype("f")


def by_the_paper(size=SIZE):
    """F_y, F_x and gamma, with filters i and pixels a from 1 on, as eqs. 19 to 26 count them."""
    y, x, log_variance, log_stride, log_gamma = PARAMETERS.astype(float).T
    height, width = SHAPE[:2]
    stride = (max(height, width) - 1) / (size - 1) * np.exp(log_stride)
    banks = []
    for told, num in ((y, height), (x, width)):
        centre = (num + 1) / 2 * (told + 1)
        bank = np.zeros((len(told), size, num))
        for i in range(1, size + 1):
            mean = centre + (i - size / 2 - 0.5) * stride
            for a in range(1, num + 1):
                bank[:, i - 1, a - 1] = np.exp(-((a - mean) ** 2) / (2 * np.exp(log_variance)))
        banks.append(bank / np.maximum(bank.sum(-1, keepdims=True), 1e-8))
    return *banks, np.exp(log_gamma)[:, None, None, None]


def error(module=attention):
    """The largest of what is read and of what is written, from the paper's formulas."""
    down, across, gamma = by_the_paper()
    window = module.window(tf.constant(PARAMETERS), SIZE, *SHAPE[:2])
    read = module.read(tf.constant(IMAGES), window, SIZE)
    written = module.write(tf.constant(PATCHES), window, SHAPE)
    expected = gamma * np.einsum("nia,nabc,njb->nijc", down, IMAGES, across)
    canvas = np.einsum("nia,nijc,njb->nabc", down, PATCHES, across) / gamma
    return max(np.abs(read - expected).max(), np.abs(written - canvas).max())


def test_reads_and_writes_as_the_paper_says():
    assert error() < 1e-5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_times(1 / window.intensity", "_times(window.intensity"),
        ("_times(window.intensity, tf", "_times(1 / window.intensity, tf"),
        ("(width + 1) / 2 * (x + 1) - 1", "(width + 1) / 2 * (x + 1) - 0.5"),
        ("(height + 1) / 2 * (y + 1) - 1", "(height + 1) / 2 * (y + 1)"),
        ("(size - 1) / 2", "size / 2"),
        ("max(size - 1, 1)", "size"),
        ("(2 * variance", "(variance"),
        ("max(height, width)", "height"),
    ],
)
def test_wrong_windows_are_rejected(old, new):
    assert error(mutant(NAME, old, new)) > 1e-2


def test_a_narrow_window_on_all_pixels_is_the_identity():
    images = tf.constant(RNG.random((2, 5, 5, 3)), tf.float32)
    narrow = tf.constant([[0.0, 0.0, -10.0, 0.0, 0.0]] * 2)
    window = attention.window(narrow, 5, 5, 5)
    for bank in attention.filterbanks(window, 5, 5, 5):
        np.testing.assert_array_equal(bank, np.broadcast_to(np.eye(5), (2, 5, 5)))
    read = attention.read(images, window, 5)
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(attention.write(read, window, (5, 5, 3)), images)


def test_rows_sum_to_1_inside_and_vanish_outside():
    inside = attention.filterbank(tf.constant([4.3]), tf.constant([1.7]), tf.constant([0.5]), 4, 9)
    np.testing.assert_allclose(tf.reduce_sum(inside, -1), np.ones((1, 4)), rtol=1e-6)
    far = attention.filterbank(tf.constant([90.0]), tf.constant([1.0]), tf.constant([0.5]), 4, 9)
    np.testing.assert_array_equal(far, np.zeros((1, 4, 9)))


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("value", [-1e30, -30.0, 0.0, 30.0, 1e30])
def test_all_is_finite_whatever_the_parameters(size, value):
    """With its gradient; of a single filter, too, which has no stride."""
    parameters = tf.fill([2, 5], value)
    images = tf.constant(IMAGES[:2])
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        window = attention.window(parameters, size, *SHAPE[:2])
        read = attention.read(images, window, size)
        written = attention.write(read, window, SHAPE)
        total = tf.reduce_sum(read) + tf.reduce_sum(written)
    for tensor in (*window, read, written, tape.gradient(total, parameters)):
        assert np.isfinite(tensor).all()


def test_corners_of_a_window():
    window = attention.Window(*map(tf.constant, (4.0, 3.0, 1.5, 4.0, 1.0)))
    np.testing.assert_allclose(attention.corners(window, 5), [1, 0, 6, 2])
