"""What is special to the ladder VAE: how the two passes merge, and its warm-up."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from zoo.parts.sequential_gaussian import diagonal_gaussian

import layers
import zoo

tfd = tfp.distributions
DIMS = (2, 3)
K = sum(DIMS)


def constant_encoder(shape, outputs):
    encoder = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2 * K)]
    )
    kernel, _ = encoder.get_weights()
    encoder.set_weights([np.zeros_like(kernel), np.asarray(outputs, np.float32)])
    return encoder


def ladder(shape, means, log_scales, **kwargs):
    encoder = constant_encoder(shape, np.concatenate([means, log_scales]))
    model = zoo.LadderVAE(encoder, layers.TopDown(shape, DIMS, width=8, seed=1), **kwargs)
    model.compile(jit_compile=False)
    return model


def layers_given(model, z):
    """Mean and deviation of the lower layer of latents, given noise z [..., K]."""
    seen = []

    def choose(mean, stddev):
        seen.append((mean, stddev))
        start = 0 if len(seen) == 1 else DIMS[0]
        return mean + stddev * z[..., start : start + DIMS[len(seen) - 1]]

    model.decoder.descend(choose)
    return seen


def test_one_layer_is_the_vae(digits, images):
    decoder = layers.TopDown(digits.shape, (4,), width=8)
    encoder = layers.bottom_up(digits.shape, (4,), width=8)
    one, two = (m(encoder, decoder, likelihood="gaussian") for m in (zoo.LadderVAE, zoo.VAE))
    weights = [model.log_weights(tf.constant(images), 3, 0) for model in (one, two)]
    np.testing.assert_allclose(*weights, rtol=1e-5)
    exact = two.posterior(images).kl_divergence(diagonal_gaussian(tf.zeros([4]), tf.ones([4])))
    z = one.infer(tf.constant(images), 3, 0)[0]
    np.testing.assert_allclose(one.posterior(images).divergence(z), exact, rtol=1e-4)


def test_an_encoder_that_knows_nothing_leaves_the_prior(digits, images):
    """Its lower layers are then those of the generator, at no cost; the top is the encoder's."""
    model = ladder(digits.shape, np.full(K, 0.7), [0.0] * 2 + [5.0] * 3)
    z, _ = model.infer(tf.constant(images), 4000, 0)
    divergence = model.posterior(images).divergence(z)
    np.testing.assert_allclose(divergence, 0.5 * 2 * 0.7**2, atol=2e-3)
    np.testing.assert_allclose(tf.reduce_mean(z[..., 2:], [0, 1]), 0.0, atol=0.02)


def test_merging_is_the_product_of_two_gaussians(digits, images):
    means, log_scales = np.array([0.3, -0.2, 0.8, -0.5, 0.1]), np.array([-1.0, -0.5, 0.2, -0.7, 0])
    model = ladder(digits.shape, means, log_scales)
    z = tf.constant([[[0.4, -1.1, 0.0, 0.0, 0.0]]])
    _, (mean, stddev) = layers_given(model, z)
    grid = np.linspace(-12, 12, 20_001, dtype=np.float32)
    for i in range(3):
        below = tfd.Normal(mean[0, 0, i], stddev[0, 0, i])
        encoded = tfd.Normal(np.float32(means[2 + i]), np.float32(np.exp(log_scales[2 + i])))
        product = (below.prob(grid) * encoded.prob(grid)).numpy()
        product /= np.trapezoid(product, grid)
        expected = np.trapezoid(product * grid, grid)
        deviation = np.sqrt(np.trapezoid(product * (grid - expected) ** 2, grid))
        # In units of the noise.
        noise = tfd.Normal(
            np.float32(expected - mean[0, 0, i]) / stddev[0, 0, i],
            np.float32(deviation) / stddev[0, 0, i],
        )
        moved = z.numpy()
        moved[0, 0, 2 + i] = 0.9
        change = model.posterior(images[:1]).log_prob(moved) - model.posterior(images[:1]).log_prob(
            z
        )
        assert abs(float(change[0, 0] - (noise.log_prob(0.9) - noise.log_prob(0.0)))) < 1e-3


def test_weights_are_those_of_the_model(digits, images):
    """The mean weight of many samples is p(x), as annealed importance sampling has it."""
    model = zoo.LadderVAE.for_data(
        digits,
        latent_dims=DIMS,
        width=8,
        initial_stddev=0.8,
        likelihood={"name": "gaussian", "scale": 1.0},
    )
    model.compile(jit_compile=False)
    weighted = zoo.scores.importance_weighted_bound(model, images[:20], num_samples=2000)
    protocol = {"num_chains": 8, "num_increments": 50, "verbose": False}
    annealed = zoo.scores.log_likelihood(model, images[:20], **protocol)
    error = weighted.mean - annealed.mean
    assert abs(error) < 4 * np.hypot(weighted.chain_stderr, annealed.chain_stderr)
    bound = zoo.scores.importance_weighted_bound(model, images[:20])
    assert bound.mean < annealed.mean


def test_warmup_weighs_the_divergence(digits, images):
    model = zoo.LadderVAE.for_data(digits, latent_dims=DIMS, width=8, warmup_steps=4)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    history = [model.fit(images, batch_size=50, verbose=0).history for _ in range(6)]
    weights = [(h["elbo_objective"][0] + h["bound"][0]) / h["divergence"][0] + 1 for h in history]
    np.testing.assert_allclose(weights, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-3)


@pytest.mark.parametrize("blocks", layers.BLOCKS)
def test_learns(blocks, digits):
    arguments = {"latent_dims": (2, 2, 2), "width": 8, "blocks": blocks}
    model = zoo.LadderVAE.for_data(digits, likelihood="gaussian", **arguments)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    bounds = model.fit(digits.train, epochs=3, verbose=0).history["bound"]
    assert bounds[2] > bounds[0] + 100
