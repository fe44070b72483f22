"""Structured models of 4 + 4 bits, three visible and three hidden pixels: sums can be taken."""

import functools

import keras
import numpy as np
import tensorflow as tf
from small_dvaes import LATENT_DIMS, NUM_FEATURES, perturb, with_couplings
from small_rbms import enumerated, probabilities

import zoo
from zoo.models import structured

SHAPE, BATCH = (2, 3, 1), 3
VISIBLE = zoo.data.mask("bottom", SHAPE)
X = tf.constant(np.random.default_rng(0).integers(0, 2, (BATCH, *SHAPE)), tf.float32)
STATES = enumerated(*map(np.zeros, [*LATENT_DIMS, LATENT_DIMS]))[0][:, None].astype(np.float32)


def make(module=structured, scale=1.0, **kwargs):
    layers = keras.layers
    encoder = [keras.Input(SHAPE), layers.Flatten(), layers.Dense(NUM_FEATURES, "tanh")]
    decoder = [keras.Input((sum(LATENT_DIMS),)), layers.Dense(6), layers.Reshape(SHAPE)]
    networks = map(keras.Sequential, (encoder, decoder))
    model = module.StructuredPrediction(*networks, latent_dims=LATENT_DIMS, **kwargs)
    with_couplings(perturb(model, scale).posterior_part)
    model.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    return model


TWO_GROUPS = {"name": "directed", "num_groups": 2}
RBM = {"name": "undirected", "num_examples": BATCH, "num_increments": 5}
MODELS = {
    "one": make,
    "two": functools.partial(make, posterior=TWO_GROUPS),
    "rbm": functools.partial(make, posterior=RBM, scale=0.4),
}


def posterior(model):
    """q at all states, [N, B]."""
    states = tf.repeat(STATES, BATCH, axis=1)
    return probabilities(model.posterior_part.log_density(model.parameters_of(X), states).numpy())


def exact(model):
    """p(x_hidden given x_visible), [B], from the decoder's weights."""
    kernel, bias = model.decoder.get_weights()
    logits = np.reshape(STATES @ kernel + bias, (-1, 1, *SHAPE))
    log_prob = np.where(VISIBLE, 0, -np.logaddexp(0, -(2 * np.asarray(X) - 1) * logits))
    return np.sum(posterior(model) * np.exp(log_prob.sum((-3, -2, -1))), 0)
