"""Exact scores of models with few bits as latents: sums over all their states."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect_batch, in_chunks, preprocessed


class Enumeration(NamedTuple):
    """What is exact of every image, nats, [N] each.

    Attributes:
      log_likelihood: log p(x).
      kl: KL(q(z given x) || p(z given x)); `log_likelihood` less it is the bound that one
        sample of q estimates.
      prior_kl: KL(q(z given x) || p(z)), which training weighs.
      num_states: exp of the entropy of p(z given x), the number of states that it spreads over.
    """

    log_likelihood: np.ndarray
    kl: np.ndarray
    prior_kl: np.ndarray
    num_states: np.ndarray


def enumerate_latents(
    model, data, *, num_images: int | None = None, chunk_size: int = 10, seed: int = 0
) -> Enumeration:
    """Sums over all states of a model's binary latents.

    Args:
      model: a fitted model with binary latents and an RBM as prior, at most 20 bits in all.
      data: an array of images, or a pipeline; grey levels are binarised by `seed`, as
        `importance_weighted_bound` does.
      num_images: the first so many images are scored; all by default.
      chunk_size: images at a time.
      seed: int.

    Returns:
      The exact scores of every image.

    Raises:
      UsageError: for a model with other latents, or with more than 20.
    """
    check_count(chunk_size=chunk_size)
    if not defines(model, "prior_rbm") or model.latent_dim > _MAX_BITS:
        raise UsageError(
            f"model must have at most {_MAX_BITS} binary latents with an RBM as prior; "
            f"{model.name!r} has not."
        )
    batch = preprocessed(model, collect_batch(model, data, num_images), seed)
    states = samplers.binary_states(model.latent_dim)[:, None]
    pixels = tf.function(model.likelihood, autograph=False)(states)
    rbm, (z1, z2) = model.prior_rbm, tf.split(states, model.latent_dims, axis=-1)
    log_prior = _normalised(rbm.log_density(z1, z2))

    @tf.function(autograph=False)
    def run(x):
        log_joint = log_prior + tf.cast(pixels.log_prob(x), tf.float64)
        every_state = tf.repeat(states, tf.shape(x)[0], axis=1)
        log_q = _normalised(model.posterior_part.log_density(model.parameters_of(x), every_state))
        log_likelihood = tf.reduce_logsumexp(log_joint, 0)
        log_posterior, q = log_joint - log_likelihood, tf.exp(log_q)
        return Enumeration(
            log_likelihood,
            tf.reduce_sum(q * (log_q - log_posterior), 0),
            tf.reduce_sum(q * (log_q - log_prior), 0),
            tf.exp(-tf.reduce_sum(tf.exp(log_posterior) * log_posterior, 0)),
        )

    return in_chunks(run, (batch["x"],), chunk_size, "", verbose=False)


_MAX_BITS = 20


def _normalised(log_density):
    log_density = tf.cast(log_density, tf.float64)
    return log_density - tf.reduce_logsumexp(log_density, 0)
