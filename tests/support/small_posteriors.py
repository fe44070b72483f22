"""Posteriors over 4 + 4 bits of three images, and a prior, whose states can be enumerated."""

import numpy as np
import tensorflow as tf
from checking import moments
from small_dvaes import BATCH, LATENT_DIMS, NUM_FEATURES, perturb, with_couplings
from small_rbms import enumerated, parameters

import samplers
from zoo.parts import directed_posterior, undirected_posterior

FEATURES = tf.constant(
    np.tanh(np.random.default_rng(3).standard_normal((BATCH, NUM_FEATURES))), tf.float32
)
PRIOR = samplers.RBM(*(tf.cast(p, tf.float32) for p in parameters(batch=(), seed=5)))
STATES, PRIOR_DENSITY = enumerated(*PRIOR)
PWL = samplers.PiecewiseLinear()


class _Hard(samplers.Relaxation):
    """In place of a relaxation: bits."""

    def __call__(self, logits, u):
        return tf.cast(u < tf.sigmoid(logits), logits.dtype)


class _Held(samplers.PiecewiseLinear):
    """Without a gradient."""

    def __call__(self, logits, u):
        return tf.stop_gradient(super().__call__(logits, u))


hard, held = _Hard(1.0), _Held()


def directed(num_groups, module=directed_posterior, scale=0.5):
    part = module.DirectedPosterior(LATENT_DIMS, num_groups=num_groups)
    part.build((None, NUM_FEATURES))
    return perturb(part, scale)


def undirected(module=undirected_posterior, scale=0.3, num_chains=None, **kwargs):
    part = module.UndirectedPosterior(LATENT_DIMS, **kwargs)
    if num_chains:
        part.make_state(num_chains, seed=0)
    part.build((None, NUM_FEATURES))
    return with_couplings(perturb(part, scale))


def undirected_log_density(part):
    """Unnormalised log q at all states, [N, B]."""
    return np.stack([enumerated(*rbm)[1] for rbm in zip(*part(FEATURES), strict=True)], 1)


def log_mass(part):
    """Exact log q at all states, [N, B]."""
    if hasattr(part, "num_groups"):
        return directed_log_mass(part, FEATURES)
    log_density = undirected_log_density(part)
    return log_density - np.logaddexp.reduce(log_density, 0)


def kl(log_q):
    """KL(q || prior) of masses at all states, [B]."""
    log_p = PRIOR_DENSITY - np.logaddexp.reduce(PRIOR_DENSITY)
    return (np.exp(log_q) * (log_q - log_p[:, None])).sum(0)


def terms(draw):
    """log q - log prior of relaxed draws, [S, B]."""
    log_p = PRIOR.log_density(*tf.split(draw.at, 2, -1)) - samplers.exact_log_normalizer(PRIOR)
    return (draw.log_q - log_p).numpy()


def largest(scores):
    return np.abs(scores).max()


def directed_log_mass(posterior, features):
    """log q of a `DirectedPosterior` at all states, [N, B], from the weights of its layers."""
    states = enumerated(*map(np.zeros, [*LATENT_DIMS, LATENT_DIMS]))[0]
    log_mass = np.zeros((len(states), len(features)))
    start = 0
    for kernel, bias in (head.get_weights() for head in posterior.heads):
        end = start + len(bias)
        logits = np.asarray(features) @ kernel[:NUM_FEATURES] + bias
        logits = logits + (states[:, :start] @ kernel[NUM_FEATURES:])[:, None]
        signs = 2 * states[:, None, start:end] - 1
        log_mass -= np.logaddexp(0, -signs * logits).sum(-1)
        start = end
    return log_mass


def state_numbers(z):
    """Which of the enumerated states these are, [...]."""
    return np.asarray(z, int) @ (2 ** np.arange(z.shape[-1])[::-1])


def moments_of(z):
    """`moments` of every image, [S, B, K + K^2]."""
    return np.stack([moments(one) for one in np.moveaxis(np.asarray(z), 1, 0)], 1)


def pair_features(z):
    """1, bits, and products of two bits, [S, B, 1 + n (n + 1) / 2]."""
    rows, columns = np.triu_indices(z.shape[-1], 1)
    return np.concatenate([np.ones_like(z[..., :1]), z, z[..., rows] * z[..., columns]], -1)
