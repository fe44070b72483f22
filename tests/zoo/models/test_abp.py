"""What is special to alternating back-propagation: every example's chain goes on."""

import keras
import numpy as np
import tensorflow as tf
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, LinearGaussian

import zoo


class Drift(zoo.ABP):
    """In place of Langevin dynamics: every visit adds the image's mean."""

    def langevin(self, batch, start, num_steps, seed, visible=None):
        return start + tf.reduce_mean(batch["x"], [1, 2, 3])[:, None]


def test_chains_follow_the_examples(digits):
    """Through two epochs in different orders; examples left out of an epoch stay."""
    model = Drift.for_data(digits, latent_dims=(2, 2), width=4)
    model.compile(keras.optimizers.SGD(1e-6), jit_compile=False)
    start = model.chains.states.numpy()
    visits, means = np.zeros(len(start)), np.zeros(len(start))
    for epoch in range(2):
        zoo.core.pipeline.epoch_variable().assign(epoch)
        for batch in digits.train:
            visits[batch["index"]] += 1
            means[batch["index"]] = batch["x"].numpy().mean((1, 2, 3))
    zoo.core.pipeline.epoch_variable().assign(0)
    model.fit(digits.train, epochs=2, verbose=0)
    assert set(visits) == {0, 1, 2}  # a last batch that is not full is left out
    expected = start + (visits * means)[:, None]
    np.testing.assert_allclose(model.chains.states, expected, rtol=1e-5, atol=1e-6)


def test_chains_stay_out_of_endpoints(digits):
    model = zoo.ABP.for_data(digits, latent_dims=(2, 2), width=4, num_steps=2)
    assert set(model.fields) == {"x", "index"}
    for name in ("sample", "reconstruct"):
        function, inputs = model.signatures()[name]
        assert "index" not in inputs
        specs = {key: field.spec(key) for key, field in inputs.items()}
        traced = tf.function(function, autograph=False).get_concrete_function(**specs)
        used = {id(variable) for variable in traced.variables}
        assert id(model.chains.states.value) not in used
        assert used >= {id(v.value) for v in model.decoder.trainable_variables}


def test_linear_decoder_finds_the_principal_subspace():
    """With a fixed noise scale, W W^T has the eigenvalues of the data's covariance less s^2."""
    directions, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((NUM_PIXELS, 3)))
    law = LinearGaussian(directions * [0.25, 0.2, 0.15], np.zeros(NUM_PIXELS), 0.1)
    x = law.simulate(2000)
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(NUM_PIXELS)])
    decoder.set_weights([0.1 * np.eye(NUM_LATENTS, NUM_PIXELS), np.zeros(NUM_PIXELS)])
    model = zoo.ABP(
        decoder,
        num_examples=len(x),
        likelihood=zoo.parts.likelihoods.Gaussian(law.scale),
        num_steps=10,
        step_size=0.1,
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 150)
    model.compile(keras.optimizers.Adam(schedule), jit_compile=False)
    step = tf.function(model.train_step, autograph=False)
    batch = {"x": tf.constant(x), "index": tf.range(len(x))}
    for _ in range(150):
        step(batch)
    weights = decoder.get_weights()[0]
    found = np.linalg.eigvalsh(weights @ weights.T)
    expected = np.linalg.eigvalsh(np.cov(2 * x.T - 1))[-NUM_LATENTS:] - law.scale**2
    np.testing.assert_allclose(found, expected, rtol=0.05)
