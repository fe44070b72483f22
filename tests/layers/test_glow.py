"""Glow's flow against the Jacobian that automatic differentiation finds, and its inverse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_dvaes import wrong

import layers
from layers import glow

SHAPE = (4, 4, 4)
RNG = np.random.default_rng(0)
X = RNG.normal(0, 0.5, (3, *SHAPE))
KINDS = {
    "affine": {"coupling": "affine", "num_scales": 2},
    "additive": {"coupling": "additive", "num_scales": 1},
    "learned top": {"coupling": "affine", "num_scales": 2, "learn_top": True},
    "unsqueezed": {"coupling": "affine", "num_scales": 2, "squeeze": False},
}


def made(kind, module=glow):
    """A flow in double precision whose weights are far from where they start."""
    flow = module.GlowNetwork(SHAPE, depth=2, width=5, dtype="float64", **KINDS[kind])
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    return flow


def log_det_error(kind, module=glow):
    # Row i of the Jacobian is the gradient of z_i, of which copy i of the image has to do with.
    flow, x = made(kind, module), tf.constant(np.repeat(X[:1], 64, 0))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = flow(x)
        each = tf.reduce_sum(tf.linalg.diag_part(z))
    jacobian = tape.gradient(each, x).numpy().reshape(64, 64)
    return abs(np.linalg.slogdet(jacobian)[1] - log_det[0])


@pytest.mark.parametrize("kind", KINDS)
def test_log_determinants_and_inverses(kind):
    assert log_det_error(kind) < 1e-8
    flow = made(kind)
    z, log_det = flow(tf.constant(X))
    assert np.ptp(log_det) > 0.01 or KINDS[kind]["coupling"] == "additive"
    np.testing.assert_allclose(flow.inverse(z), X, atol=1e-8)
    one = [value.numpy()[0] for value in flow(tf.constant(X[1:2]))]
    np.testing.assert_allclose(one[0], z[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(one[1], log_det[1], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("num_pixels * tf.reduce_sum(log_scale)", "tf.reduce_sum(log_scale)"),
        ("total -= tf.reduce_sum(log_scale, [1, 2, 3])", "total -= 0"),
        ("tf.reduce_sum(log_scale, [1, 2, 3])\n\n    def inverse", "0.0\n\n    def inverse"),
    ],
)
def test_wrong_log_determinants_are_found_out(old, new):
    assert log_det_error("affine", wrong("layers.glow", old, new)) > 1e-3


def test_it_starts_as_rotations_and_normalises_its_data():
    flow = layers.GlowNetwork(SHAPE, num_scales=2, depth=2, width=5, coupling="additive")
    x = tf.constant(3 + 2 * X, tf.float32)
    z, log_det = flow(x)
    np.testing.assert_allclose(log_det, 0, atol=1e-4)
    np.testing.assert_allclose(tf.norm(z, axis=-1), tf.norm(tf.reshape(x, [3, -1]), axis=-1), 1e-4)
    with layers.started_from_data():
        z, _ = flow(x)
    squeezed = tf.nn.space_to_depth(x, 2)
    first = flow.scales[0][0](squeezed)[0]
    np.testing.assert_allclose(tf.reduce_mean(first, [0, 1, 2]), 0, atol=1e-4)
    np.testing.assert_allclose(tf.math.reduce_variance(first, [0, 1, 2]), 1, atol=1e-3)
    hidden = flow.scales[0][2].hidden
    seen = hidden[0](flow.scales[0][1](first)[0][..., :8])
    np.testing.assert_allclose(tf.reduce_mean(hidden[1](seen)[0], [0, 1, 2]), 0, atol=1e-4)
    again = flow(x)[0]
    np.testing.assert_array_equal(z, again)  # and outside of the context nothing is set


@pytest.mark.parametrize("shape", [(5, 4, 1), (6, 4, 1)])
def test_sizes_that_cannot_be(shape):
    with pytest.raises(ValueError, match="event_shape must be halved 2 times without rest"):
        layers.GlowNetwork(shape, num_scales=2, depth=1, width=3)
    with pytest.raises(ValueError, match="event_shape must have two channels or more"):
        layers.GlowNetwork(shape, num_scales=1, depth=1, width=3, squeeze=False)


def test_configs():
    flow = layers.GlowNetwork(SHAPE, num_scales=2, depth=1, width=3, learn_top=True)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(flow))
    assert copy.get_config() == flow.get_config()
    copy.set_weights(flow.get_weights())
    np.testing.assert_array_equal(copy(X)[0], flow(X)[0])
