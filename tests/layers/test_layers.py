import keras
import numpy as np
import pytest
import tensorflow as tf

import layers


def test_fold_is_the_network_on_every_row():
    network = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2))]
    )
    z = tf.random.stateless_normal([5, 7, 3], [0, 1])
    folded = layers.fold(network, z)
    assert folded.shape == (5, 7, 2, 2)
    np.testing.assert_allclose(folded[2], network(z[2]), rtol=1e-5, atol=1e-6)


def test_fold_keeps_what_is_known_of_the_shape():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([2, None, 3])])
    def call(z):
        shapes.append(layers.fold(network, z).shape.as_list())

    call(tf.zeros([2, 6, 3]))
    assert shapes == [[2, None, 4]]


def test_shear_is_unit_lower_triangular_whatever_its_kernel():
    shear = layers.Shear()
    z = tf.random.stateless_normal([2, 5, 4], [0, 1])
    np.testing.assert_array_equal(shear(z), z)  # the identity at first
    shear.kernel.assign(np.random.default_rng(0).standard_normal((4, 4)))
    matrix = shear.matrix.numpy()
    np.testing.assert_array_equal(np.diag(matrix), 1)
    np.testing.assert_array_equal(np.triu(matrix, 1), 0)
    np.testing.assert_array_equal(np.tril(matrix, -1), np.tril(shear.kernel.numpy(), -1))
    np.testing.assert_allclose(shear(z), z @ matrix.T, rtol=1e-5, atol=1e-6)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_shear_learns_below_the_diagonal_alone():
    shear = layers.Shear()
    z = tf.random.stateless_normal([10, 3], [0, 1])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(shear(z) ** 2)
    gradient = tape.gradient(value, shear.trainable_variables)[0].numpy()
    np.testing.assert_array_equal(np.triu(gradient), 0)
    assert np.all(np.tril(gradient, -1)[np.tril_indices(3, -1)] != 0)


def test_mlp_by_seed():
    bias = np.arange(4.0).reshape(2, 2)
    one, two, other = (
        layers.mlp((3, 1), (5,), (2, 2), output_bias=bias, seed=seed) for seed in (0, 0, 7)
    )
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])
    assert one.output_shape == (None, 2, 2)
    np.testing.assert_array_equal(one.get_weights()[-1], bias.ravel())


def test_mlp_sees_its_input_less_the_mean():
    mean = np.array([[1.0], [-2.0], [0.5]])
    x = np.random.default_rng(0).standard_normal((4, 3, 1))
    plain, centred = (layers.mlp((3, 1), (5,), (2,), input_mean=m) for m in (None, mean))
    np.testing.assert_allclose(centred(x + mean), plain(x), rtol=1e-5, atol=1e-6)
    assert not np.allclose(centred(x), plain(x))


def test_mlp_normalises_every_image_on_its_own():
    x = np.random.default_rng(0).standard_normal((4, 6))
    network = layers.mlp((6,), (50,), None, activation="linear", layer_normalisation=True)
    features = network(x).numpy()
    assert features.shape == (4, 50)  # without a last layer
    np.testing.assert_allclose(features.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(-1), 1, atol=0.02)
    np.testing.assert_allclose(network(x[:1])[0], features[0], rtol=1e-4, atol=1e-5)
