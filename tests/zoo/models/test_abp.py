"""What is special to alternating back-propagation: every example's chain goes on."""

import keras
import numpy as np
import tensorflow as tf
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, LinearGaussian

import zoo


class Drift(zoo.ABP):
    """In place of Langevin dynamics: every visit adds the image's mean."""

    def langevin(self, x, start, num_steps, seed, visible=None):
        return start + tf.reduce_mean(x, [1, 2, 3])[:, None]


def drifting(digits, seed=0):
    model = Drift.for_data(digits, latent_dims=(2, 2), width=8, seed=seed)
    model.compile(keras.optimizers.SGD(1e-6), jit_compile=False)
    return model


def test_chains_follow_the_examples(digits):
    """Through two epochs in different orders; examples left out of an epoch stay."""
    model = drifting(digits)
    start = model.chains.numpy()
    visits, means = np.zeros(len(start)), np.zeros(len(start))
    for epoch in range(2):
        zoo.core.pipeline.epoch_variable().assign(epoch)
        for batch in digits.train:
            visits[batch["index"]] += 1
            means[batch["index"]] = batch["x"].numpy().mean((1, 2, 3))
    zoo.core.pipeline.epoch_variable().assign(0)
    model.fit(digits.train, epochs=2, verbose=0)
    assert set(visits) == {0, 1, 2}  # a last batch that is not full is left out
    np.testing.assert_allclose(
        model.chains.numpy(), start + (visits * means)[:, None], rtol=1e-5, atol=1e-6
    )


def test_chains_are_saved(digits, tmp_path):
    model = zoo.ABP.for_data(digits, latent_dims=(2, 2), width=8, num_steps=2)
    model.compile(jit_compile=False)
    start = model.chains.numpy()
    model.fit(digits.train.take(3), verbose=0)
    assert 0 < (model.chains.numpy() != start).any(1).sum() == 3 * 50
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.chains, model.chains)


def test_chains_stay_out_of_exports(digits, tmp_path):
    model = zoo.ABP.for_data(digits, latent_dims=(2, 2), width=8, num_steps=2, num_examples=10**6)
    model.compile(jit_compile=False)
    zoo.export(model, tmp_path / "export")
    size = sum(path.stat().st_size for path in (tmp_path / "export").rglob("*") if path.is_file())
    assert size < model.chains.numpy().nbytes / 2


def test_linear_decoder_finds_the_principal_subspace():
    """With a fixed noise scale, W W^T has the eigenvalues of the data's covariance less s^2."""
    directions, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((NUM_PIXELS, 3)))
    law = LinearGaussian(directions * [0.25, 0.2, 0.15], np.zeros(NUM_PIXELS), 0.1)
    x = law.simulate(4000)
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(NUM_PIXELS)])
    decoder.set_weights([0.1 * np.eye(NUM_LATENTS, NUM_PIXELS), np.zeros(NUM_PIXELS)])
    model = zoo.ABP(
        decoder,
        num_examples=len(x),
        likelihood=zoo.parts.likelihoods.Gaussian(law.scale),
        num_steps=10,
        step_size=0.1,
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 400)))
    step = tf.function(model.train_step, autograph=False, jit_compile=True)
    for _ in range(400):
        step({"x": tf.constant(x), "index": tf.range(len(x))})
    weights = decoder.get_weights()[0]
    found = np.linalg.eigvalsh(weights @ weights.T)
    expected = np.linalg.eigvalsh(np.cov(2 * x.T - 1))[-NUM_LATENTS:] - law.scale**2
    np.testing.assert_allclose(found, expected, rtol=0.05)
