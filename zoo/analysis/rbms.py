"""What RBMs of discrete models look like: their modes, and how hard log Z is to estimate.

As Vahdat, Andriyash and Macready (2020), section 4.1.1, examine priors and posteriors.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count, check_positive
from zoo.scores.chunks import in_chunks, preprocessed

_MAX_ENUMERATED = 16  # units of a side
_MAX_ROUNDS = 100
_STEPS_OF_A_ROUND = 100  # of mean field


class MeanFieldModes(NamedTuple):
    """Modes of one RBM, that where most of its draws end first.

    Attributes:
      means: fixed points of mean field, z1 and then z2, [M, n1 + n2].
      shares: the shares of the draws that end in each, [M].
      kl: KL(product of Bernoullis of these means || RBM), nats, [M].
      stderr: the standard error of all of these, that of log Z, nats; 0 where it was enumerated.
    """

    means: np.ndarray
    shares: np.ndarray
    kl: np.ndarray
    stderr: float


def prior_rbm(model) -> samplers.RBM:
    """The prior of a model that is an RBM, without couplings where its bits are independent.

    Args:
      model: a model of bits, such as `zoo.DVAE`.

    Returns:
      The RBM.

    Raises:
      UsageError: for a model whose prior is no RBM.
    """
    if not defines(model, "prior_rbm"):
        raise UsageError(
            f"model must have an RBM as its prior, as zoo.DVAE; {model.name!r} has not."
        )
    return model.prior_rbm


def has_posterior_rbms(model) -> bool:
    """Returns whether the posteriors of a model are RBMs, too."""
    return defines(model, "parameters_of") and defines(model.posterior_part, "rbms")


def posterior_rbms(model, x: np.ndarray, seed: Seed = 0) -> samplers.RBM:
    """The posteriors of images, which are RBMs.

    Args:
      model: a model with undirected posteriors.
      x: images [B, ...event], pixels in [0, 1], binarised by `seed` where the model explains
        binary images.
      seed: int or int32[2].

    Returns:
      A batch [B] of RBMs.

    Raises:
      UsageError: for a model whose posteriors are no RBMs.
    """
    if not has_posterior_rbms(model):
        raise UsageError(
            'model must have RBMs as its posteriors, as zoo.DVAE(posterior="undirected"); '
            f"{model.name!r} has not."
        )
    explained = preprocessed(model, {"x": x}, seed)["x"]
    return model.posterior_part.rbms(model.parameters_of(tf.constant(explained)))


def mean_field_modes(
    rbm: samplers.RBM,
    *,
    num_draws: int = 500,
    num_increments: int = 500,
    start: str = "zero",
    tolerance: float = 0.01,
    chunk_size: int = 25,
    jit_compile: bool = True,
    seed: Seed = 0,
) -> list[MeanFieldModes]:
    """Finds the modes of RBMs: distinct fixed points of mean field from draws of them.

    Draws are the ends of annealed chains, whose weights give log Z where it cannot be enumerated.
    Mean field starts at side 1 of a draw, moved by up to a hundredth, as it would stay on a ridge
    between modes for ever; and ends when 100 steps change no mean of a chunk by more than a
    hundredth of `tolerance`, or after 10,000. A mode in which no draw ends is not found.

    Args:
      rbm: one, or a batch [B] of them.
      num_draws: of each RBM.
      num_increments: annealing steps of a draw.
      start: of annealing, "zero" or "bias", as `samplers.rbm_annealed_importance_sampling`.
      tolerance: fixed points whose means differ by no more are one.
      chunk_size: RBMs at a time.
      jit_compile: whether XLA compiles the program.
      seed: int or int32[2].

    Returns:
      The modes of each RBM.

    Raises:
      UsageError: for a count or tolerance that is not positive.
    """
    check_count(num_draws=num_draws, num_increments=num_increments, chunk_size=chunk_size)
    check_positive(tolerance=tolerance)
    betas = samplers.linear_schedule(num_increments)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(index, *parameters):
        rbm, key = samplers.RBM(*parameters), samplers.fold_in(seed, "modes", index[0])
        chains = samplers.rbm_annealed_importance_sampling(
            rbm,
            num_chains=num_draws,
            betas=betas,
            start=start,
            seed=samplers.fold_in(key, "anneal"),
        )
        u = samplers.fast_uniform(tf.shape(chains.z1), samplers.fold_in(key, "nudge"))
        means = _fixed_points(rbm, 0.99 * chains.z1 + 0.01 * u, tolerance / 100)
        log_normalizer, stderr = samplers.log_mean_weight(chains.log_weights)
        kl = tf.cast(samplers.mean_field_kl(rbm, *means), tf.float64)  # less log Z
        return tf.transpose(tf.concat(means, -1), [0, 2, 1]), kl, log_normalizer, stderr

    points, kl, log_normalizers, stderrs = _each(run, rbm, chunk_size)
    if _can_be_enumerated(rbm):
        log_normalizers, stderrs = reference_log_normalizer(rbm)[0], 0 * stderrs
    found = np.moveaxis(points, -1, 0), (kl + log_normalizers).T, stderrs.tolist()
    return [_distinct(*of_one, tolerance) for of_one in zip(*found, strict=True)]


def _fixed_points(rbm, mean1, precision):
    """Means of both sides, once a round of steps changes those of side 1 by `precision` at most."""

    def improve(i, mean1, _):
        new, _ = samplers.mean_field(rbm, mean1, _STEPS_OF_A_ROUND)
        new = tf.ensure_shape(new, mean1.shape)
        return i + 1, new, tf.reduce_max(tf.abs(new - mean1))

    _, mean1, _ = tf.while_loop(
        lambda i, _, change: (i < _MAX_ROUNDS) & (change > precision),
        improve,
        (0, mean1, tf.constant(np.inf, mean1.dtype)),
        parallel_iterations=1,
    )
    return samplers.mean_field(rbm, mean1, 1)


def _distinct(points, kl, stderr, tolerance) -> MeanFieldModes:
    """The modes among fixed points [S, n], of each the first point that was found."""
    left, first, shares = np.arange(len(points)), [], []
    while len(left):
        near = abs(points[left] - points[left[0]]).max(1) <= tolerance
        first.append(left[0])
        shares.append(near.mean() * len(left) / len(points))
        left = left[~near]
    order = np.argsort(shares, kind="stable")[::-1]
    first = np.array(first)[order]
    return MeanFieldModes(points[first], np.array(shares)[order], kl[first], stderr)


def log_normalizer_estimates(
    rbm: samplers.RBM,
    num_increments: Sequence[int],
    *,
    num_chains: int = 200,
    num_repeats: int = 20,
    start: str = "zero",
    chunk_size: int = 25,
    jit_compile: bool = True,
    seed: Seed = 0,
) -> np.ndarray:
    """Estimates log Z of RBMs by annealing, several times independently.

    Args:
      rbm: one, or a batch [B] of them.
      num_increments: numbers T of annealing steps.
      num_chains: chains of an estimate, which is the log of their mean weight.
      num_repeats: R, estimates of each RBM with each number of steps.
      start: of annealing, "zero" or "bias", as `samplers.rbm_annealed_importance_sampling`.
      chunk_size: RBMs at a time.
      jit_compile: whether XLA compiles the program.
      seed: int or int32[2].

    Returns:
      The estimates, nats, float64, [len(num_increments), R, B].

    Raises:
      UsageError: for a count that is not positive.
    """
    check_count(num_chains=num_chains, num_repeats=num_repeats, chunk_size=chunk_size)
    for size in num_increments:
        check_count(num_increments=size)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(betas, size, index, *parameters):
        chains = samplers.rbm_annealed_importance_sampling(
            samplers.RBM(*parameters),
            num_chains=num_chains * num_repeats,
            betas=betas,
            start=start,
            seed=samplers.fold_in(seed, "log normalizer", size, index[0]),
        )
        log_weights = tf.reshape(chains.log_weights, [num_chains, num_repeats, -1])
        return samplers.log_mean_weight(log_weights).log_mean

    estimates = []
    for size in num_increments:
        length = max(num_increments)
        while length >= 16 * size:
            length //= 16
        # Sweeps at 0 before the first change nothing, and one program serves several lengths.
        betas = tf.pad(samplers.linear_schedule(size), [(length - size, 0)])
        estimates.append(_each(functools.partial(run, betas, tf.constant(size)), rbm, chunk_size))
    return np.stack(estimates)


def reference_log_normalizer(
    rbm: samplers.RBM, *, num_increments: int = 2**14, **settings
) -> tuple[np.ndarray, str]:
    """Computes log Z of RBMs to compare estimates with.

    Args:
      rbm: one, or a batch [B] of them.
      num_increments: annealing steps where both sides have more than 16 units; all states of the
        smaller side are enumerated where it has fewer.
      **settings: of annealing, as `log_normalizer_estimates`, whose mean over repeats is taken.

    Returns:
      log Z, nats, float64, [B], and a word on where it is from.
    """
    if not _can_be_enumerated(rbm):
        estimates = log_normalizer_estimates(rbm, [num_increments], **settings)
        return estimates.mean((0, 1)), f"annealing, {num_increments} temperatures"
    exact = _each(
        lambda _, *one: samplers.exact_log_normalizer(samplers.RBM(*one)),
        samplers.RBM(*(tf.cast(part, tf.float64) for part in rbm)),
        chunk_size=1,
    )
    return exact, "enumeration"


def _can_be_enumerated(rbm) -> bool:
    return min(rbm.weights.shape[-2:]) <= _MAX_ENUMERATED


def _each(run, rbm, chunk_size):
    """Calls `run` on places and parameters of an RBM or a batch [B] of them, chunk by chunk."""
    n1, n2 = rbm.weights.shape[-2:]
    shapes = [-1, n1], [-1, n2], [-1, n1, n2]
    parts = [np.reshape(part, shape) for part, shape in zip(rbm, shapes, strict=True)]
    return in_chunks(run, (np.arange(len(parts[0])), *parts), chunk_size, "", verbose=False)
