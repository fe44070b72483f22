"""A-MCVAE: the gradient of an expectation over what is accepted, which is enumerated."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import monte_carlo_vae

STEP, NODES = 0.9, 61
BETAS = {1: [0.5], 2: [1 / 3, 2 / 3]}


def one_latent():
    """q(z given x) = N(0.2, 0.5^2) and x ~ N(0.6 z + 0.1, 0.3^2), of one pixel and one latent."""
    encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    encoder.set_weights([np.zeros((1, 2)), np.array([0.2, np.log(0.5)])])
    decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    decoder.set_weights([np.array([[0.6]]), np.array([0.1])])
    return encoder, decoder


X = 0.7


def enumerated(num_steps):
    """The gradient of E[log w] over the biases of encoder and decoder, and the weight: exactly.

    Written anew: an integral over all normal noise, and a sum over all accept patterns.
    """
    nodes = np.linspace(-5, 5, NODES)
    weight = np.exp(-(nodes**2) / 2)
    grid = np.meshgrid(*[nodes] * (num_steps + 1), indexing="ij")
    mass = functools.reduce(np.multiply.outer, [weight / weight.sum()] * (num_steps + 1)).ravel()
    noise = [tf.constant(g.ravel()) for g in grid]
    biases = tf.Variable([0.2, np.log(0.5), 0.1, 0.6], dtype=tf.float64)
    with tf.GradientTape() as tape:
        mean, log_scale, bias, slope = tf.unstack(tf.convert_to_tensor(biases))

        def log_q(z):
            return -(((z - mean) / tf.exp(log_scale)) ** 2) / 2 - log_scale

        def log_p(z):
            return -(z**2) / 2 - ((2 * X - 1 - slope * z - bias) / 0.3) ** 2 / 2

        def log_f(z, beta):
            return (1 - beta) * log_q(z) + beta * log_p(z)

        def force(z, beta):
            of_q = -(z - mean) / tf.exp(2 * log_scale)
            return (1 - beta) * of_q + beta * (-z + slope * (2 * X - 1 - slope * z - bias) / 0.09)

        def expected(z, t, log_weight):
            """Of the rest of the path, over what is accepted."""
            if t == num_steps:
                return log_weight + log_p(z)
            beta, p = BETAS[num_steps][t], noise[t + 1]
            half = p + STEP / 2 * force(z, beta)
            new = z + STEP * half
            end = half + STEP / 2 * force(new, beta)
            ratio = log_f(new, beta) - end**2 / 2 - log_f(z, beta) + p**2 / 2
            accept = tf.exp(tf.minimum(ratio, 0.0))
            kept = log_f(z, beta) - log_f(new, beta)
            return accept * expected(new, t + 1, log_weight + kept) + (1 - accept) * expected(
                z, t + 1, log_weight
            )

        start = mean + tf.exp(log_scale) * noise[0]
        value = tf.reduce_sum(mass * expected(start, 0, -log_q(start)))
    return tape.gradient(value, biases).numpy()


def estimated(num_steps, module=monte_carlo_vae, num_images=4000, num_seeds=20, num_samples=2):
    """Draws of the model's own estimate of that gradient, each a mean over images: [seeds, 4]."""
    encoder, decoder = one_latent()
    model = module.AMCVAE(
        encoder,
        decoder,
        likelihood=zoo.parts.likelihoods.Gaussian(0.3),
        num_steps=num_steps,
        num_samples=num_samples,
        step_size=STEP,
        max_step_size=1.0,
    )
    x = tf.fill([num_images, 1], X)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            context = model.amortise({"x": x}, seed)
            objective = model.objectives({"x": x}, context, (), seed)[0]["elbo"]
        variables = [v.value for v in model.trainable_variables]
        return tape.gradient(objective, variables)

    rows = []
    for seed in range(num_seeds):
        by_path = {
            v.path: g
            for v, g in zip(model.trainable_variables, step(samplers.as_seed(seed)), strict=True)
        }
        encoder_bias, decoder_bias, kernel = (
            by_path[v.path] for v in (encoder.weights[1], decoder.weights[1], decoder.weights[0])
        )
        rows.append(-np.concatenate([encoder_bias, decoder_bias, np.ravel(kernel)]))
    return np.array(rows)


@pytest.mark.parametrize("num_steps", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_adjusted_gradient_is_that_of_the_expectation(num_steps):
    found = estimated(num_steps, num_samples=num_steps)  # one alone, and two with their control
    assert np.abs(z_scores(found, enumerated(num_steps))).max() < 4


@pytest.mark.slow
def test_a_missing_score_term_is_noticed():
    old, new = 'objectives["elbo"] - score', 'objectives["elbo"]'
    draws = estimated(1, wrong("zoo.models.monte_carlo_vae", old, new))
    assert np.abs(z_scores(draws, enumerated(1))).max() > 8


@pytest.mark.slow
def test_the_control_variate_takes_variance_away():
    paired = estimated(1, num_samples=2, num_images=1000)
    module = wrong(
        "zoo.models.monte_carlo_vae", "others / (self.num_samples - 1)", "tf.zeros_like(others)"
    )
    alone = estimated(1, module, num_samples=2, num_images=1000)
    assert (paired.var(0) < alone.var(0)).all()
