"""VIMCO's gradients on 3 + 3 bits, against sums over all pairs of states."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_dvaes import NUM_FEATURES, NUM_PIXELS, exact_log_normalizer, images, perturb, wrong
from small_rbms import enumerated

import samplers
import zoo
from zoo.models import vimco
from zoo.parts import DirectedPosterior

LATENT_DIMS, NUM_SAMPLES = (3, 3), 2
STATES = enumerated(*map(np.zeros, [*LATENT_DIMS, LATENT_DIMS]))[0]
FIRST, SECOND = (part.ravel() for part in np.indices([len(STATES)] * NUM_SAMPLES))
PAIRS = tf.constant(np.stack([STATES[FIRST], STATES[SECOND]]), tf.float32)  # [K, 64^2, n]
X = tf.repeat(images(1), len(FIRST), 0)


def model_of(module=vimco, prior="rbm", num_groups=2, warmup=1.0):
    layers = keras.layers
    encoder = keras.Sequential(
        [keras.Input((NUM_PIXELS,)), layers.Dense(NUM_FEATURES, activation="tanh")]
    )
    decoder = keras.Sequential([keras.Input((sum(LATENT_DIMS),)), layers.Dense(NUM_PIXELS)])
    model = module.VIMCO(
        encoder,
        decoder,
        latent_dims=LATENT_DIMS,
        posterior=DirectedPosterior(LATENT_DIMS, num_groups=num_groups),
        prior=prior,
        num_samples=NUM_SAMPLES,
        num_particles=10,
        warmup_steps=10,
    )
    perturb(perturb(model, 0.6).posterior_part, 0.5)
    if prior == "rbm":
        model.prior_part.log_normalizer.assign(exact_log_normalizer(model.prior_part))
    model.training_step.assign(round(10 * warmup))
    return model


def objectives(model, features):
    return model.objectives({"x": X}, {"parameters": features}, PAIRS, 0)


def exact_bound(model, features):
    """The annealed bound, of all pairs by their probability, as a function of the features."""
    states = tf.constant(STATES[:, None], tf.float32)
    log_q = model.posterior_part.log_density(features, states)[:, 0]
    log_p = model.likelihood(states).log_prob(X[:1])[:, 0]
    log_prior = tf.cast(model.prior.log_prob(states)[:, 0], tf.float32)
    log_weights = log_p + model.warmup * (log_prior - log_q)
    bound = samplers.log_mean_exp(tf.stack([tf.gather(log_weights, i) for i in (FIRST, SECOND)]))
    q = tf.exp(tf.gather(log_q, FIRST) + tf.gather(log_q, SECOND))
    return tf.reduce_sum(q * bound)


def encoder_gradients(model):
    """The exact gradient in the features of minus the bound; and mean and variance, over all
    pairs, of its estimate.
    """
    features = model.encoder(X[:1])
    with tf.GradientTape() as tape:
        tape.watch(features)
        bound = -exact_bound(model, features)
    exact = tape.gradient(bound, features)[0].numpy()
    copies = tf.repeat(features, len(X), 0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        objective = objectives(model, copies)[0]["inference"]
    estimates = len(X) * tape.gradient(objective, copies).numpy()
    log_q = model.posterior_part.log_density(features, STATES[:, None].astype("f"))[:, 0].numpy()
    q = np.exp(log_q[FIRST] + log_q[SECOND])
    mean = q @ estimates
    return exact, mean, q @ (estimates - mean) ** 2


@pytest.mark.parametrize(("prior", "num_groups"), [("rbm", 2), ("independent", 1)])
@pytest.mark.parametrize("warmup", [0.3, 1.0])
def test_encoder_gradient_is_that_of_the_bound(prior, num_groups, warmup):
    exact, mean, _ = encoder_gradients(model_of(vimco, prior, num_groups, warmup))
    assert np.abs(exact).max() > 0.05
    np.testing.assert_allclose(mean, exact, atol=2e-5)


SHARES = "signal - self.warmup * shares"


@pytest.mark.parametrize(
    "change",
    [
        (SHARES, "signal"),
        (SHARES, "signal + self.warmup * shares"),
        (SHARES, "signal - shares"),
        ("log_p - self.warmup * log_q", "log_p - log_q"),
    ],
    ids=["no shares", "sign of the shares", "shares without warm-up", "weights without it"],
)
def test_wrong_gradients_are_rejected(change):
    exact, mean, _ = encoder_gradients(model_of(wrong(vimco.__name__, *change), warmup=0.3))
    assert np.abs(mean - exact).max() > 1e-3


def test_the_control_takes_variance_away():
    plain = wrong(vimco.__name__, " - samplers.leave_one_out_bounds(log_weights)", "")
    exact, mean, variance = encoder_gradients(model_of())
    _, plain_mean, plain_variance = encoder_gradients(model_of(plain))
    np.testing.assert_allclose(plain_mean, exact, atol=2e-5)
    assert np.all(variance < 0.2 * plain_variance)


def generation_error(module, prior, warmup):
    """Of the generator's gradient from that of the annealed bound, pair by pair.

    The gradient of log Z of an RBM is by its particles.
    """
    model = model_of(module, prior, warmup=warmup)
    variables = model.parameter_groups["generation"]
    features = tf.repeat(model.encoder(X[:1]), len(X), 0)
    with tf.GradientTape(persistent=True) as tape:
        told, metrics = objectives(model, features)
        log_q = model.posterior_part.log_density(features, PAIRS)
        log_prior = model.prior.log_prob(PAIRS)
        if prior == "rbm":
            log_prior += model.prior_part.log_normalizer - (
                model.prior_part.log_normalizer_surrogate()
            )
        log_likelihood = model.likelihood(PAIRS).log_prob(X)
        annealed = log_likelihood + model.warmup * (log_prior - log_q)
        bound = -tf.reduce_mean(samplers.log_mean_exp(annealed))
    kl = log_q - log_prior
    np.testing.assert_allclose(metrics["kl"], tf.reduce_mean(kl), rtol=1e-4)
    np.testing.assert_allclose(metrics["bound"], tf.reduce_mean(log_likelihood - kl), rtol=1e-4)
    found, expected = (tape.gradient(v, variables) for v in (told["generation"], bound))
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("prior", ["rbm", "independent"])
@pytest.mark.parametrize("warmup", [0.3, 1.0])
def test_generator_gradient_is_that_of_the_bound(prior, warmup):
    assert generation_error(vimco, prior, warmup) < 1e-5


def test_a_generator_that_is_not_warmed_up_is_rejected():
    warm = "log_likelihood + self.warmup * log_prior", "log_likelihood + log_prior"
    assert generation_error(wrong(vimco.__name__, *warm), "rbm", 0.3) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 1}, "num_samples must be at least 2"),
        ({"relaxation": "concrete"}, "relaxation must be left out: VIMCO"),
        ({"kl": "bits"}, "kl must be left out"),
        ({"posterior": {"name": "undirected", "num_examples": 5}}, "posterior must be 'directed'"),
    ],
)
def test_bad_input(arguments, message):
    make = functools.partial(zoo.VIMCO.for_data, images(8).numpy()[:, :, None, None])
    with pytest.raises(zoo.UsageError, match=message):
        make(latent_dims=LATENT_DIMS, hidden=(4,), **arguments)
