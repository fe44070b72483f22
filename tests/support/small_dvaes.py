"""Discrete VAEs so small that all latents can be enumerated, with weights away from zero."""

import keras
import numpy as np
import tensorflow as tf
from checking import mutant
from small_rbms import enumerated

from zoo.core import registry
from zoo.models import dvae

LATENT_DIMS, NUM_PIXELS, NUM_FEATURES, BATCH = (4, 4), 6, 5, 3
# Relaxations that have a density, of slopes that keep the variance of gradients low.
DENSITIES = ({"name": "power", "beta": 2.0}, {"name": "exponential", "beta": 3.0})


def perturb(part, scale=1.0, seed=0):
    """Normal numbers for all trainable variables of a part, which is returned."""
    rng = np.random.default_rng(seed)
    for variable in part.trainable_variables:
        variable.assign(scale * rng.standard_normal(variable.shape))
    return part


def with_couplings(part):
    """A posterior whose couplings, if it has any, are strong enough to matter."""
    for variable in part.couplings.trainable_variables if hasattr(part, "couplings") else ():
        variable.assign(2 * variable)
    return part


def images(size=BATCH, seed=0):
    """Binary images [size, NUM_PIXELS]."""
    rng = np.random.default_rng(seed)
    return tf.constant(rng.integers(0, 2, (size, NUM_PIXELS)), tf.float32)


def networks():
    """A linear encoder with tanh, and a linear decoder."""
    encoder = [keras.Input((NUM_PIXELS,)), keras.layers.Dense(NUM_FEATURES, "tanh")]
    decoder = [keras.Input((sum(LATENT_DIMS),)), keras.layers.Dense(NUM_PIXELS)]
    return keras.Sequential(encoder), keras.Sequential(decoder)


def small(posterior, module=dvae, scale=0.2, **kwargs):
    """A model with this posterior, of weights of this scale, and the exact log Z of its prior."""
    kwargs = {"latent_dims": LATENT_DIMS, "num_particles": 10, "num_sweeps": 1} | kwargs
    model = module.DVAE(*networks(), posterior=posterior, **kwargs)
    with_couplings(perturb(perturb(model, 0.6).posterior_part, scale))
    for variable, value in model.prior_part.prepared_state(exact_log_normalizer(model.prior_part)):
        variable.assign(value)
    model.compile(jit_compile=False)
    return model


def exact_log_normalizer(prior):
    return np.logaddexp.reduce(enumerated(*prior.rbm)[1])


def log_joint(model, x, visible=True):
    """All states [N, n], and log p(visible x, z) at them, [N, B], from the weights of the parts."""
    states, log_prior = enumerated(*model.prior_part.rbm)
    kernel, bias = model.decoder.get_weights()
    logits = (states @ kernel + bias)[:, None]
    pixels = np.where(visible, -np.logaddexp(0, -(2 * np.asarray(x) - 1) * logits), 0)
    return states, (log_prior - np.logaddexp.reduce(log_prior))[:, None] + pixels.sum(-1)


def wrong(name, old, new, *users):
    """`mutant` of a module of the zoo, which leaves the registered classes where they are."""
    registries = registry._METHODS, keras.saving.get_custom_objects()
    registered = [dict(entries) for entries in registries]
    module = mutant(name, old, new, *users)
    for entries, before in zip(registries, registered, strict=True):
        entries.update(before)
    return module
