"""Monte Carlo EM: chains that come to the posterior and go on, and E steps before M steps."""

import keras
import numpy as np
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, linear_gaussian

import zoo

LAW = linear_gaussian()
IMAGES = LAW.simulate(2)
COPIES = 500


def model_of(law=LAW, num_examples=2 * COPIES, **kwargs):
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(NUM_PIXELS)])
    decoder.set_weights([law.weights.T, law.bias])
    model = zoo.MCEM(
        decoder,
        num_examples=num_examples,
        likelihood=zoo.parts.likelihoods.Gaussian(law.scale),
        **kwargs,
    )
    model.compile(keras.optimizers.SGD(kwargs.get("learning_rate", 0.0)), jit_compile=False)
    return model


def batch_of(copies=COPIES):
    x = np.repeat(IMAGES, copies, axis=0)
    return {"x": tf.constant(x), "index": tf.range(len(x))}


def test_chains_reach_the_posterior():
    model, batch = model_of(num_updates=1, step_size=0.3), batch_of()
    step = tf.function(model.train_step, autograph=False)
    for _ in range(60):
        told = step(batch)
    z = model.chains.states.numpy().reshape(2, COPIES, -1)
    for i, mean in enumerate(LAW.posterior_mean(IMAGES)):
        expected = gaussian_moments(mean, LAW.posterior_covariance)
        assert np.abs(z_scores(moments(z[i]), expected)).max() < 4
    assert 0.8 < told["accept_rate"] < 1  # which the step size is tuned to


def test_m_steps_move_no_chain():
    model, batch = model_of(num_updates=3), batch_of()
    step, states, sizes, rates = tf.function(model.train_step, autograph=False), [], [], []
    for _ in range(7):
        told = step(batch)
        states.append(model.chains.states.numpy())
        sizes.append(float(model.step_size))
        rates.append(float(told["accept_rate"]))
    moved = [not np.array_equal(a, b) for a, b in zip(states, states[1:], strict=False)]
    assert moved == [False, False, True, False, False, True]
    changed = [a != b for a, b in zip(sizes, sizes[1:], strict=False)]
    assert changed == moved
    # In between the acceptance of the last E step is told.
    np.testing.assert_allclose(rates[1:3], rates[0], rtol=1e-6)
    assert rates[3] != rates[0]


def test_every_chain_is_moved_whatever_the_order():
    """Also where always the same batches come at the same steps."""
    model, batch = model_of(num_examples=10, num_updates=5), batch_of(5)
    before = model.chains.states.numpy()
    step = tf.function(model.train_step, autograph=False)
    for k in range(10):
        half = slice(0, 5) if k % 5 == 0 else slice(5, 10)
        told = step({name: value[half] for name, value in batch.items()})
    assert (model.chains.states.numpy() != before).all()
    assert model.visits.states.numpy().tolist() == [2] * 5 + [8] * 5
    assert {"accept_rate", "energy_error", "divergences"} <= told.keys()


def test_it_learns_the_decoder():
    """From a wrong bias EM comes to the mean of the images, where the gradient vanishes."""
    images = LAW.simulate(400, seed=5)
    model = model_of(num_examples=400, num_updates=2, step_size=0.3)
    model.optimizer.learning_rate = 0.02
    kernel, bias = model.decoder.get_weights()
    model.decoder.set_weights([kernel, bias + 0.5])
    model.decoder.layers[-1].kernel.trainable = False
    batch = {"x": tf.constant(images), "index": tf.range(400)}
    step = tf.function(model.train_step, autograph=False)
    for _ in range(300):
        step(batch)
    bias = model.decoder.get_weights()[1]
    np.testing.assert_allclose(bias, (2 * images - 1).mean(0), atol=0.05)
