"""log Z of RBMs by annealing: annealed importance sampling, and population annealing.

A log density is linear in the parameters. So that of an RBM whose parameters are differences gives
the log ratio of two densities, in one matrix product.
"""

import math
from typing import NamedTuple

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from samplers.estimators import log_mean_exp
from samplers.random import Seed, fold_in
from samplers.rbm import RBM, bernoulli, gibbs, sweep_uniforms
from samplers.resampling import systematic_resampling

STARTS = ("zero", "bias", "spin")


class RBMAnnealingResult(NamedTuple):
    """The end of a run of annealed importance sampling.

    Attributes:
      log_weights: log importance weight of every chain in nats, float64, [S, ...];
        E[exp(log_weights)] is Z.
      z1: last state of side 1, [S, ..., n1].
      z2: last state of side 2, [S, ..., n2].
    """

    log_weights: tf.Tensor
    z1: tf.Tensor
    z2: tf.Tensor


def rbm_annealed_importance_sampling(
    rbm: RBM, *, num_chains: int, betas: tf.Tensor, start: str = "zero", seed: Seed
) -> RBMAnnealingResult:
    """Anneals chains from independent units to an RBM, and weighs them (Neal 2001).

    The path has the biases a + b_t (b - a) and the weights b_t W, with a the biases at the start.
    For t = 1 ... T: first log w += (b_t - b_{t-1}) (log ratio of the two ends at z), then one
    Gibbs sweep at b_t. It costs two matrix products.

    Args:
      rbm: the RBM, or a batch of them.
      num_chains: S, for each RBM.
      betas: inverse temperatures 0 = b_0, ..., b_T = 1, [T + 1].
      start: "zero", a = 0; or "bias", a = b, which needs far fewer temperatures where strong
        biases leave an RBM with one mode (Vahdat et al. 2020, figure 4); or "spin", the same of
        spins 2 z - 1, a = b + the sum of W / 2 over the other side, for biases of bits that make up
        for strong weights.
      seed: int or int32[2].

    Returns:
      The log weight and the last state of every chain.

    Raises:
      ValueError: if `start` is none of these.
    """
    if start not in STARTS:
        raise ValueError(f"start must be 'zero', 'bias' or 'spin'; it was {start!r}.")
    scale = 0.0 if start == "zero" else 1.0
    start1, start2 = scale * rbm.bias1, scale * rbm.bias2
    if start == "spin":
        start1 += tf.reduce_sum(rbm.weights, -1) / 2
        start2 += tf.reduce_sum(rbm.weights, -2) / 2
    ratio = RBM(rbm.bias1 - start1, rbm.bias2 - start2, rbm.weights)
    shape = tf.concat([[num_chains], tf.shape(rbm.weights)[:-2]], 0)
    dtype = rbm.weights.dtype
    betas = tf.cast(betas, tf.float64)
    increments = tf.concat([[0.0], betas[1:] - betas[:-1]], 0)

    def sweep(t, z1, z2, log_ratio, log_weights):
        log_weights += increments[t] * tf.cast(log_ratio, tf.float64)
        beta = tf.cast(betas[t], dtype)
        u1, u2 = sweep_uniforms(rbm, shape, fold_in(seed, t))
        z2 = bernoulli(start2 + beta * ratio.logits2(z1), u2)
        logits1 = ratio.logits1(z2)
        z1 = bernoulli(start1 + beta * logits1, u1)
        # What the weight takes next, of a product that is there already.
        log_ratio = tf.reduce_sum(z1 * logits1, -1) + tf.reduce_sum(z2 * ratio.bias2, -1)
        return t + 1, z1, z2, log_ratio, log_weights

    # A sweep at b_0 = 0 draws the start, whatever there was before it. Drawn outside the loop, by a
    # second call, XLA would make the uniform numbers of the loop in a function that is slower.
    z1, z2 = _zeros(rbm, shape)
    log_start = sum(tf.reduce_sum(tf.math.softplus(a), -1) for a in (start1, start2))
    _, z1, z2, _, log_weights = tf.while_loop(
        lambda t, *_: t < tf.shape(betas)[0],
        sweep,
        (0, z1, z2, tf.zeros(shape, dtype), tf.broadcast_to(tf.cast(log_start, tf.float64), shape)),
        parallel_iterations=1,
    )
    return RBMAnnealingResult(log_weights, z1, z2)


def population_annealing_step(
    old: RBM, new: RBM, z1: tf.Tensor, z2: tf.Tensor, *, num_sweeps: int | tf.Tensor, seed: Seed
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Takes particles from one RBM to another: weighs them, resamples, and runs Gibbs sweeps.

    Args:
      old: the RBM of which the particles are draws, or a batch of RBMs.
      new: the RBM of which they shall be.
      z1: side 1 of the particles, [S, ..., n1].
      z2: side 2 of the particles, [S, ..., n2].
      num_sweeps: Gibbs sweeps after resampling, at least 1.
      seed: int or int32[2].

    Returns:
      An estimate of log Z_new - log Z_old, nats, float64, [...]: the log of the mean weight; and
      the particles, z1 and z2.
    """
    ratio = RBM(*(b - a for a, b in zip(old, new, strict=True)))
    log_weights = tf.cast(ratio.log_density(z1, z2), tf.float64)
    ancestors = systematic_resampling(log_weights, fold_in(seed, "resample"))
    z1 = tf.ensure_shape(tnp.take_along_axis(z1, ancestors[..., None], 0), z1.shape)
    z1, z2 = gibbs(new, z1, num_sweeps=num_sweeps, seed=fold_in(seed, "sweep"))
    return log_mean_exp(log_weights), z1, z2


def population_annealing(
    rbm: RBM, *, num_particles: int, betas: tf.Tensor, num_sweeps: int | tf.Tensor, seed: Seed
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Anneals a population from uniform states to an RBM (Hukushima and Iba 2003).

    Args:
      rbm: the RBM, or a batch of them.
      num_particles: S, for each RBM.
      betas: inverse temperatures 0 = b_0, ..., b_T = 1, [T + 1], which scale all parameters.
      num_sweeps: Gibbs sweeps at each temperature, at least 1.
      seed: int or int32[2].

    Returns:
      An estimate of log Z, nats, float64, [...], whose exponential is unbiased; and the particles
      z1 [S, ..., n1] and z2 [S, ..., n2].
    """
    shape = tf.concat([[num_particles], tf.shape(rbm.weights)[:-2]], 0)

    def at(t):
        return RBM(*(tf.cast(betas[t], part.dtype) * part for part in rbm))

    def step(t, log_normalizer, z1, z2):
        old, new = at(tf.maximum(t - 1, 0)), at(t)
        log_ratio, z1, z2 = population_annealing_step(
            old, new, z1, z2, num_sweeps=num_sweeps, seed=fold_in(seed, t)
        )
        return t + 1, log_normalizer + log_ratio, z1, z2

    # The first step, from b_0 = 0 to itself, draws the start, whatever there was before it.
    z1, z2 = _zeros(rbm, shape)
    num_units = z1.shape[-1] + z2.shape[-1]
    log_normalizer = tf.fill(shape[1:], tf.constant(num_units * math.log(2), tf.float64))
    _, *result = tf.while_loop(
        lambda t, *_: t < tf.shape(betas)[0],
        step,
        (0, log_normalizer, z1, z2),
        parallel_iterations=1,
    )
    return tuple(result)


def _zeros(rbm: RBM, shape: tf.Tensor) -> list[tf.Tensor]:
    """States of zeros of both sides, for chains of `shape` [S, ...]."""
    return [tf.zeros(tf.concat([shape, tf.shape(b)[-1:]], 0), b.dtype) for b in rbm[:2]]
