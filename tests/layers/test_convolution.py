"""Convolutional networks: sizes that mirror each other, linear outputs, and seeds."""

import numpy as np
import pytest

import layers
import zoo


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 1), (9, 14, 3)])
def test_the_decoder_mirrors_the_encoder(shape):
    encoder = layers.convolutional_encoder(shape, (4, 5, 6), (7,), (3,))
    decoder = layers.convolutional_decoder(3, (7,), (6, 5, 4), shape)
    assert encoder.output_shape == (None, 3) and decoder.output_shape == (None, *shape)
    small = tuple(-(-size // 8) for size in shape[:2])
    assert encoder.get_layer("head").input_shape[1:] == (*small, 6)
    assert decoder.get_layer("stem").output_shape[1:] == (*small, 6)


def test_seeds_and_bias():
    def made(seed):
        bias = np.array([0.5, -2.0])
        return layers.convolutional_encoder((8, 8, 1), (2,), (), (2,), output_bias=bias, seed=seed)

    one, same, other = (made(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[-1], [0.5, -2.0])


def test_a_vae_of_them():
    data = zoo.data.load("digits", batch_size=50, verbose=False)
    sizes = {"blocks": "convolution", "channels": (4, 4), "hidden": (16,), "latent_dim": 4}
    model = zoo.VAE.for_data(data, **sizes)
    model.compile("adam", jit_compile=False)
    bounds = model.fit(data.train.take(20), epochs=2, verbose=0).history["bound"]
    assert bounds[1] > bounds[0]
    with pytest.raises(zoo.UsageError, match=r"'convolution' needs images .* data were \(5,\)"):
        zoo.VAE.for_data(np.zeros((3, 5), np.float32), blocks="convolution")
    with pytest.raises(zoo.UsageError, match="blocks: unknown value 'conv'"):
        zoo.VAE.for_data(data, blocks="conv")
