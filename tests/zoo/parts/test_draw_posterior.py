"""DRAW's posterior against the recursion of the paper, its draws and its densities."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import gaussian_moments, moments, z_scores
from small_dvaes import wrong

import layers
import zoo
from zoo.parts import draw_posterior
from zoo.parts.gaussians import diagonal_gaussian, kl_to_standard_normal

SHAPE, SIZE, NUM_GLIMPSES, LATENTS = (4, 5, 1), 4000, 3, 2
RNG = np.random.default_rng(0)
FEATURES = tf.constant(RNG.random((2, 20)), tf.float32)


@functools.cache
def generator():
    """With weights large enough that what it draws matters."""
    decoder = layers.RecurrentCanvas(SHAPE, LATENTS, NUM_GLIMPSES, units=4, write_size=2, seed=1)
    for variable in decoder.trainable_variables:
        variable.assign(RNG.normal(0, 0.7, variable.shape))
    return decoder


def posterior(read_size, module=draw_posterior):
    part, rng = module.GlimpsePosterior(generator(), units=5, read_size=read_size), RNG
    for variable in part.trainable_variables:
        variable.assign(np.random.default_rng(len(variable.shape)).normal(0, 0.6, variable.shape))
    assert rng is RNG
    return part


def by_the_paper(part, x, z):
    """mu_t and sigma_t [N, T K] of images x [N, ...] given z [N, T K], step by step."""
    decoder, size = generator(), part.arguments["read_size"]
    drawn, seen = decoder.start(len(x), "float32"), part.recurrent.start(len(x), "float32")
    means, scales = [], []
    for part_of_z in np.split(z, NUM_GLIMPSES, -1):
        error = x - 1 / (1 + np.exp(-drawn.canvas.numpy()))
        if size:
            window = layers.attention.window(part.where(drawn.hidden), size, *SHAPE[:2])
            read = [layers.attention.read(tf.constant(i), window, size) for i in (x, error)]
        else:
            read = [x, error]
        read = np.stack(read, -1).reshape(len(x), -1)
        seen = part.recurrent(np.concatenate([read, drawn.hidden], -1), *seen)
        mean, log_scale = np.split(part.gaussian(seen[0]).numpy(), 2, -1)
        means.append(mean)
        scales.append(np.exp(log_scale))
        drawn = decoder.step(drawn, tf.constant(part_of_z))
    return np.concatenate(means, -1), np.concatenate(scales, -1)


def errors(read_size, module=draw_posterior):
    """Relative ones of log densities; and of moments of the noise of draws, in standard errors."""
    part = posterior(read_size, module)
    draws = tf.function(lambda: part.propose(FEATURES, SIZE, 0)[:2], autograph=False)
    z, log_q = (t.numpy() for t in draws())
    x = np.broadcast_to(np.reshape(FEATURES, (2, *SHAPE)), (SIZE, 2, *SHAPE)).reshape(-1, *SHAPE)
    given = by_the_paper(part, x, z.reshape(2 * SIZE, -1))
    mean, stddev = (np.reshape(value, z.shape) for value in given)
    noise = (z - mean) / stddev
    exact = (-0.5 * noise**2 - np.log(stddev) - 0.5 * np.log(2 * np.pi)).sum(-1)
    found = np.stack([log_q, part.log_prob(z, FEATURES)])
    expected = gaussian_moments(np.zeros(z.shape[-1]), np.eye(z.shape[-1]))
    scores = [z_scores(moments(noise[:, b]), expected) for b in range(2)]
    return np.abs((found - exact) / (1 + np.abs(exact))).max(), np.abs(scores).max()


@pytest.mark.parametrize("read_size", [0, 2])
def test_draws_and_densities(read_size):
    """Its noise is independent from glimpse to glimpse, and it scores its draws as they are."""
    density, score = errors(read_size)
    assert density < 1e-3
    assert score < 4.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("choose(mean, stddev, part)", "choose(mean, stddev, parts[0])"),  # one noise for all
        ("x - tf.sigmoid(state.canvas)", "x - state.canvas"),
        ("drawn.hidden], -1)", "0 * drawn.hidden], -1)"),
        ("self.window(state.hidden)", "self.window(0 * state.hidden)"),
        ("return (generator.step(drawn, z), seen)", "return (generator.step(drawn, mean), seen)"),
    ],
)
def test_wrong_posteriors_are_rejected(old, new):
    density, score = errors(2, wrong(draw_posterior.__name__, old, new))
    assert density > 0.01 or score > 8


def test_any_latents_are_scored():
    """Of any leading axes, and by the distribution's own draws, too."""
    part, z = posterior(2), RNG.normal(size=(3, 2, 6)).astype("f")
    alone = [[part.log_prob(z[s, None, b], FEATURES[b : b + 1])[0] for b in (0, 1)] for s in (0, 1)]
    np.testing.assert_allclose(part.log_prob(z, FEATURES)[:2], alone, rtol=1e-4)
    q = part.distribution(FEATURES)
    assert q.sample(7, tf.constant([0, 1])).shape == (7, 2, 6)
    assert q.mean().shape == part.scale(FEATURES).shape == (2, 6)
    np.testing.assert_allclose(q.mean(), q.given(q.mean()).mean(), rtol=1e-5)


def test_kl_in_closed_form():
    """Exactly 0 at mu = 0 and sigma = 1, whatever the size, and else that of TFP."""
    standard = diagonal_gaussian(tf.zeros([4, 30]), tf.ones([4, 30]))
    np.testing.assert_array_equal(kl_to_standard_normal(standard), np.zeros((4, 30)))
    part, z = posterior(2), RNG.normal(size=(5, 2, 6)).astype("f")
    given = part.distribution(FEATURES).given(z)
    whole = diagonal_gaussian(tf.zeros([6]), tf.ones([6]))
    expected = tfp.distributions.kl_divergence(given, whole)
    np.testing.assert_allclose(part.distribution(FEATURES).kl(z), expected, rtol=1e-5)


def test_mistakes_are_told():
    for arguments, message in (
        ({"units": 0}, "units must be greater than 0; it was 0"),
        ({"read_size": 1.5}, "read_size must be a whole number; it was 1.5"),
        ({"seed": "a"}, "seed must be a whole number"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            draw_posterior.GlimpsePosterior(generator(), **arguments)
