"""A generator in glimpses is the recursion that the paper says, also of its parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers

SHAPE = (4, 5, 2)
NOISE = tf.constant(np.random.default_rng(0).normal(size=(3, 6)), tf.float32)


def canvas(write_size, **kwargs):
    return layers.RecurrentCanvas(SHAPE, 2, 3, units=4, write_size=write_size, seed=1, **kwargs)


def test_a_step_of_the_recurrent_network():
    """Against its formula in numpy."""
    layer, rng = layers.LSTM(3), np.random.default_rng(1)
    x, h, c = (rng.normal(size=(2, n)).astype("f") for n in (5, 3, 3))
    layer.build(x.shape)
    layer.gates.bias.assign(rng.normal(size=12))
    gates = np.concatenate([x, h], -1) @ layer.gates.kernel.numpy() + layer.gates.bias.numpy()
    i, f, o, g = np.split(gates, 4, -1)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    cell = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
    expected = sigmoid(o) * np.tanh(cell), cell
    np.testing.assert_allclose(layer(x, h, c), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("write_size", [0, 1, 3])
def test_canvases_add_up(write_size):
    """Each glimpse writes what its hidden state says, through its own window."""
    generator = canvas(write_size)
    drawn, windows = layers.canvases(generator, NOISE)
    state, total = generator.start(3, "float32"), np.zeros((3, *SHAPE))
    for t, z in enumerate(np.split(NOISE, 3, -1)):
        state = generator.step(state, tf.constant(z))
        patch = tf.reshape(generator.patch(state.hidden), [3, -1])
        if write_size:
            told = layers.attention.window(generator.where(state.hidden), write_size, *SHAPE[:2])
            patch = tf.reshape(patch, [3, write_size, write_size, SHAPE[-1]])
            patch = layers.attention.write(patch, told, SHAPE)
            np.testing.assert_allclose([w[t] for w in windows], told, rtol=1e-5)
        total = total + np.reshape(patch, total.shape)
        np.testing.assert_allclose(drawn[t], total, atol=1e-5)
    np.testing.assert_allclose(generator(NOISE), drawn[-1], atol=1e-5)
    assert (windows is None) == (not write_size)


def test_comes_back_from_its_config():
    generator = canvas(3, name="decoder")
    again = layers.RecurrentCanvas.from_config(generator.get_config())
    again.set_weights(generator.get_weights())
    np.testing.assert_array_equal(again(NOISE), generator(NOISE))
    assert again.get_config() == generator.get_config()


def test_any_other_network_has_one_glimpse():
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    drawn, windows = layers.canvases(network, NOISE)
    np.testing.assert_allclose(drawn, network(NOISE)[None], rtol=1e-6)
    assert windows is None


def test_a_program_is_as_large_for_any_number_of_glimpses():
    sizes = []
    for num_glimpses in (2, 20):
        generator = layers.RecurrentCanvas(SHAPE, 2, num_glimpses, units=4, write_size=2)
        traced = tf.function(generator, autograph=False)
        graph = traced.get_concrete_function(tf.ones([2, 2 * num_glimpses])).graph.as_graph_def()
        sizes.append(sum(len(function.node_def) for function in graph.library.function))
    assert sizes[0] == sizes[1] > 0
