"""Gaussian posteriors against densities written down in numpy, layer by layer."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from small_dvaes import wrong

import layers
from zoo.core.checks import UsageError
from zoo.parts import gaussian_posteriors as posteriors

NAME = posteriors.__name__
RNG = np.random.default_rng(0)
BATCH, DIMS = 2, (2, 2, 1)  # of a ladder, the top layer first
FEATURES = RNG.normal(0, 0.5, (BATCH, 2 * sum(DIMS))).astype("f")
SIZE = 4000


@functools.cache
def generator():
    return layers.TopDown((2, 2, 1), DIMS, width=4, seed=1)


@functools.cache
def upper_encoder():
    network = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    network.set_weights([RNG.normal(0, 0.5, w.shape) for w in network.get_weights()])
    return network


# What each layer's mean and deviation are given the latents z [S, B, K], in numpy.


def mean_field(z):
    mean, log_scale = np.split(FEATURES, 2, -1)
    return [(mean, np.exp(log_scale))]


def two_layers(z):
    kernel, bias = upper_encoder().get_weights()
    mean, log_scale = np.split(z[..., :5] @ kernel + bias, 2, -1)
    return [*mean_field(z), (mean, np.exp(log_scale))]


def ladder(z):
    """The product of the encoder's Gaussian and the generator's, in units of the latter."""
    parts, generated = iter(split(z)), []

    def choose(mean, stddev):
        generated.append((np.asarray(mean), np.asarray(stddev)))
        return mean + stddev * next(parts)

    generator().descend(choose)
    means, log_scales = np.split(FEATURES, 2, -1)
    given = []
    for m, s, (mean, stddev) in zip(
        split(means), split(np.exp(log_scales)), generated, strict=True
    ):
        variance = 1 / (1 / s**2 + (1 / stddev**2 if given else 0))
        product = variance * (m / s**2 + (mean / stddev**2 if given else 0))
        given.append(((product - mean) / stddev, np.sqrt(variance) / stddev))
    return given


def split(z):
    return np.split(z, np.cumsum(DIMS)[:-1], -1)


KINDS = {
    "mean field": (lambda module: module.MeanFieldPosterior(), mean_field),
    "two layers": (lambda module: module.TwoLayerPosterior(upper_encoder()), two_layers),
    "ladder": (lambda module: module.LadderPosterior(generator()), ladder),
}


def standardised(z, given):
    """Every latent less its mean, by its deviation; and the log density that this makes."""
    means, scales = (
        np.concatenate([np.broadcast_to(v, (*z.shape[:2], v.shape[-1])) for v in vs], -1)
        for vs in zip(*given(z), strict=True)
    )
    noise = (z - means) / scales
    return noise, (-0.5 * noise**2 - np.log(scales) - 0.5 * np.log(2 * np.pi)).sum(-1)


def errors(kind, module=posteriors):
    """Relative ones of log densities; and of moments of both draws, in standard errors."""
    make, given = KINDS[kind]
    part, features = make(module), tf.constant(FEATURES)
    z, log_q = (t.numpy() for t in part.propose(features, SIZE, 0)[:2])
    noise, exact = standardised(z, given)
    foreign = np.random.default_rng(1).normal(size=z[:50].shape).astype("f")
    pairs = (log_q, exact), (part.log_prob(foreign, features), standardised(foreign, given)[1])
    density = max(np.abs((a - b) / (1 + np.abs(b))).max() for a, b in pairs)
    drawn = part.distribution(features).sample(SIZE, tf.constant([0, 1])).numpy()
    size = z.shape[-1]
    expected = gaussian_moments(np.zeros(size), np.eye(size))
    scores = [
        np.abs(z_scores(moments(noise[:, b]), expected)).max()
        for noise in (noise, standardised(drawn, given)[0])
        for b in range(BATCH)
    ]
    return density, max(scores)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_and_densities(kind):
    density, score = errors(kind)
    assert density < 1e-3
    assert score < 4.5  # of hundreds of moments


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("mean field", "z = q.mean() + q.stddev() * self", "z = q.mean() + self"),
        ("mean field", "Proposal(z, q.log_prob(z), q)", "Proposal(z, -q.log_prob(z), q)"),
        (
            "two layers",
            "layers.fold(self.upper_encoder, z)",
            "layers.fold(self.upper_encoder, 0 * z)",
        ),
        ("ladder", "1 / (1 + tf.square(scale))", "1 / (1 + scale)"),
        ("ladder", "centre * shrink, ", "centre, "),
        ("ladder", "scale * tf.sqrt(shrink)", "scale * shrink"),
        ("ladder", "(centre - mean) / stddev, scale / stddev", "centre - mean, scale / stddev"),
        ("ladder", "return mean + stddev * choose(", "return choose("),
        ("ladder", "if not top:", "if True:"),
    ],
)
def test_wrong_posteriors_are_rejected(kind, old, new):
    density, score = errors(kind, wrong(NAME, old, new))
    assert density > 0.01 or score > 8


@pytest.mark.parametrize("kind", KINDS)
def test_scales(kind):
    """Those of step sizes: of a layer above the first, at the means of those before."""
    make, given = KINDS[kind]
    q = make(posteriors).distribution(tf.constant(FEATURES))
    means = q.mean().numpy()[None]
    at_means = given(means)
    np.testing.assert_allclose(means, np.concatenate(_with_axis(at_means, 0), -1), atol=1e-5)
    expected = np.concatenate(_with_axis(at_means, 1), -1)[0]
    np.testing.assert_allclose(make(posteriors).scale(FEATURES), expected, atol=1e-5)


def _with_axis(given, i):
    return [np.broadcast_to(pair[i], (1, BATCH, pair[i].shape[-1])) for pair in given]


@pytest.mark.parametrize("kind", KINDS)
def test_draws_carry_a_gradient(kind):
    features = tf.constant(FEATURES)
    with tf.GradientTape() as tape:
        tape.watch(features)
        z, log_q, _ = KINDS[kind][0](posteriors).propose(features, 3, 0)
        value = tf.reduce_sum(z) + tf.reduce_sum(log_q)
    assert (tape.gradient(value, features).numpy() != 0).all()


def test_an_encoder_that_knows_nothing_leaves_the_prior():
    """The lower layers are then the generator's, at no cost; the top one is the encoder's."""
    features = tf.constant([[0.7] * 5 + [0.0] * 2 + [5.0] * 3])
    part = posteriors.LadderPosterior(generator())
    z = part.propose(features, SIZE, 0).z
    np.testing.assert_allclose(part.distribution(features).kl(z), 0.5 * 2 * 0.7**2, atol=2e-3)
    np.testing.assert_allclose(tf.reduce_mean(z[..., 2:], [0, 1]), 0.0, atol=0.07)


def test_kl_is_that_from_the_standard_normal():
    """Of a layer given those before; on average that of the whole."""
    part, features = posteriors.LadderPosterior(generator()), tf.constant(FEATURES)
    z, log_q, _ = part.propose(features, SIZE, 0)
    log_p = -0.5 * (np.square(z) + np.log(2 * np.pi)).sum(-1)
    kl = part.distribution(features).kl(z)
    assert np.abs(z_scores(kl - (log_q - log_p), 0.0)).max() < 4
    assert np.ptp(kl, 0).max() > 0.01  # the lower layer's depends on the draw above


def test_networks_that_do_not_fit_are_told():
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)])
    noisy = keras.Sequential([keras.Input((5,)), keras.layers.Dropout(0.5), keras.layers.Dense(4)])
    for message, ask in {
        r"encoder must give \(8,\), mean and log standard deviation": lambda: (
            posteriors.MeanFieldPosterior().check_encoder(encoder, 4)
        ),
        "upper_encoder must take the 3 latents of the lower layer; it takes": lambda: (
            posteriors.TwoLayerPosterior(upper_encoder()).check_encoder(encoder, 3)
        ),
        "upper_encoder must not hold batch": lambda: posteriors.TwoLayerPosterior(noisy),
    }.items():
        with pytest.raises(UsageError, match=message):
            ask()
    assert posteriors.MeanFieldPosterior().check_encoder(encoder, 3) == 3
