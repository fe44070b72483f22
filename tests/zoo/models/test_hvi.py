"""HVI: networks that it makes, and those that are given."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
import samplers
import zoo

DIGITS = np.random.default_rng(0).random((20, 4, 4, 1)).astype(np.float32)


def test_hvi_without_an_inference_network():
    """q(z_0) and q(v') are one law each, of both layers; r looks at x; and all of it learns."""
    model = zoo.HVI.for_data(
        DIGITS,
        latent_dim=3,
        hidden=(8,),
        upper_latent_dim=2,
        upper_hidden=(4,),
        num_transitions=2,
        inference_network=False,
    )
    model.compile("adam", jit_compile=False)
    features = model.features(tf.constant(DIGITS)).numpy()
    assert (features == features[0]).all()
    z = samplers.normal([1, 20, 5], 0)
    momenta = [
        model.momenta(network, tf.constant(DIGITS), z, 1).mean().numpy()
        for network in (model.momentum_network, model.reverse_network)
    ]
    assert (momenta[0] == 0).all() and (momenta[1] == 0).all()  # at the start
    before = {v.path: v.numpy() for v in model.trainable_variables}
    model.fit(DIGITS, epochs=3, batch_size=10, verbose=0)
    assert all((before[v.path] != v.numpy()).any() for v in model.trainable_variables)
    loaded = zoo.HVI.from_config(model.get_config())
    assert [v.shape for v in loaded.variables] == [v.shape for v in model.variables]


def test_networks_of_hvi_that_do_not_fit():
    layer = keras.layers.Dense(6)
    wrong_size = keras.Sequential([keras.Input((19,)), layer])
    right_size = keras.Sequential([keras.Input((19,)), keras.layers.Dense(6)])
    given = {"latent_dim": 3, "hidden": (8,)}
    for kwargs, message in (
        ({"momentum_network": layers.mlp((18,), (), (6,))}, r"must map \(19,\) .* maps \(18,\)"),
        ({"reverse_network": layers.mlp((19,), (), (3,))}, r"to \(6,\); it maps .* to \(3,\)"),
        ({"momentum_network": wrong_size, "reverse_network": wrong_size}, "must share no layer"),
        ({"inference_network": False, "momentum_network": right_size}, "must be left out without"),
        ({"step_size": 0.5}, "step_size must be less than max_step_size, 0.5; it was 0.5"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            zoo.HVI.for_data(DIGITS, **given, **kwargs)
    decoder = layers.mlp((7,), (8,), (4, 4, 1))
    encoder = layers.mlp((4, 4, 1), (8,), (14,))
    assert zoo.HVI.for_data(DIGITS, encoder=encoder, decoder=decoder).latent_dim == 7
