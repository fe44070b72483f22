"""Two replicas take the step of one with the whole batch, given equal noise (with SGD)."""

import keras
import numpy as np
import tensorflow as tf
from training import two_replicas

import samplers
import zoo


def deterministic_chain(log_density, state, *, step_size, **_):
    """Instead of HMC: one gradient step, and acceptance rates that differ between examples."""
    _, gradient = samplers.density.value_and_gradient(log_density, state)
    accept_prob = tf.sigmoid(tf.reduce_sum(100 * gradient, -1))
    moved = state + 0.01 * step_size * gradient
    return samplers.HMCResult(moved, accept_prob, accept_prob, accept_prob)


def trained(images, scope, monkeypatch):
    monkeypatch.setattr(samplers, "normal", lambda shape, *_: 0.3 * tf.ones(shape))
    monkeypatch.setattr(samplers, "hmc", deterministic_chain)
    facts = zoo.data.Data(None, None, None, images.shape[1:], 0, {})
    with scope:
        model = zoo.HMCDLGM.for_data(facts, latent_dim=4, hidden=(16,), likelihood="gaussian")
        model.compile(keras.optimizers.SGD(1e-4), jit_compile=False)
    history = model.fit(images, batch_size=10, epochs=2, verbose=0).history
    return model, history


def test_same_step_as_one_replica(images, monkeypatch):
    one, one_history = trained(images, tf.distribute.get_strategy().scope(), monkeypatch)
    two, two_history = trained(images, two_replicas().scope(), monkeypatch)
    assert two.distribute_strategy.num_replicas_in_sync == 2
    for a, b in zip(one.variables, two.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7, err_msg=a.path)
    for name, values in one_history.items():
        np.testing.assert_allclose(values, two_history[name], rtol=1e-4, err_msg=name)
    fresh = zoo.HMCDLGM.from_config(one.get_config())
    assert not np.allclose(one.trainable_variables[0], fresh.trainable_variables[0])
