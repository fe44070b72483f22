"""Restricted Boltzmann machines (RBMs): densities, block Gibbs sampling, mean field, enumeration.

Sign convention: the log density is + b1.z1 + b2.z2 + z1' W z2 - log Z, for z in {0, 1}. Vahdat,
Andriyash and Macready 2020 ("Undirected graphical models as approximate posteriors") write the
negative of it in the text, but not in their code.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from samplers.density import with_shapes_of
from samplers.random import Seed, fast_uniform, fold_in

_MAX_ENUMERATED = 20


class RBM(NamedTuple):
    """One RBM, or a batch of them ("...") with parameters of their own.

    The states of both sides are floats in [0, 1], [S, ..., n1] and [S, ..., n2], S of each RBM.

    Attributes:
      bias1: b1, [..., n1].
      bias2: b2, [..., n2].
      weights: W, [..., n1, n2].
    """

    bias1: tf.Tensor
    bias2: tf.Tensor
    weights: tf.Tensor

    def logits1(self, z2: tf.Tensor) -> tf.Tensor:
        """Logits of p(z1 given z2), [S, ..., n1], at states of side 2, [S, ..., n2]."""
        return self.bias1 + tf.einsum("s...j,...ij->s...i", z2, self.weights)

    def logits2(self, z1: tf.Tensor) -> tf.Tensor:
        """Logits of p(z2 given z1), [S, ..., n2], at states of side 1, [S, ..., n1]."""
        return self.bias2 + tf.einsum("s...i,...ij->s...j", z1, self.weights)

    def log_density(self, z1: tf.Tensor, z2: tf.Tensor) -> tf.Tensor:
        """log p(z1, z2) + log Z in nats, [S, ...], at states [S, ..., n1] and [S, ..., n2]."""
        return tf.reduce_sum(z1 * self.bias1, -1) + tf.reduce_sum(z2 * self.logits2(z1), -1)

    def log_marginal1(self, z1: tf.Tensor) -> tf.Tensor:
        """log p(z1) + log Z in nats, [S, ...]: the other side of [S, ..., n1] is summed out."""
        free = tf.reduce_sum(tf.math.softplus(self.logits2(z1)), -1)
        return tf.reduce_sum(z1 * self.bias1, -1) + free


class RelaxedSample(NamedTuple):
    """The end of `relaxed_gibbs`.

    Attributes:
      zeta1: relaxed state of side 1, [S, ..., n1].
      zeta2: relaxed state of side 2, [S, ..., n2].
      mean1: the probabilities of which zeta1 is the relaxed draw, sigmoid(b1 + W zeta2).
    """

    zeta1: tf.Tensor
    zeta2: tf.Tensor
    mean1: tf.Tensor


def gibbs(
    rbm: RBM, z1: tf.Tensor, *, num_sweeps: int | tf.Tensor, seed: Seed
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs `num_sweeps` >= 1 sweeps of block Gibbs sampling: z2 given z1, then z1 given z2.

    Args:
      rbm: the RBM, or a batch of them.
      z1: where the chains start, [S, ..., n1].
      num_sweeps: number of sweeps; each costs two matrix products.
      seed: int or int32[2].

    Returns:
      The last z1 and z2, 0 or 1.

    Raises:
      ValueError: if `num_sweeps` is a Python int below 1, for then there is no z2.
    """
    if isinstance(num_sweeps, int) and num_sweeps < 1:
        raise ValueError(f"num_sweeps must be at least 1; it was {num_sweeps}.")
    no_z2 = tf.zeros(tf.concat([tf.shape(z1)[:-1], tf.shape(rbm.bias2)[-1:]], 0), z1.dtype)

    def sweep(i, z1, _):
        u1, u2 = sweep_uniforms(rbm, tf.shape(z1)[:-1], fold_in(seed, i))
        z2 = bernoulli(rbm.logits2(z1), u2)
        z1 = bernoulli(rbm.logits1(z2), u1)
        return i + 1, *with_shapes_of((z1, z2), start[1:])

    start = (0, z1, no_z2)
    _, *states = tf.while_loop(lambda i, *_: i < num_sweeps, sweep, start, parallel_iterations=1)
    return tuple(states)


def bernoulli(logits: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Draws bits.

    Args:
      logits: log odds of a 1.
      u: uniform numbers in [0, 1) of the same shape.

    Returns:
      Bernoulli draws, 0 or 1 in the type of `logits`; NaN where these are, which no bit would tell.
    """
    bits = tf.cast(u < tf.sigmoid(logits), logits.dtype)
    return tf.where(tf.math.is_nan(logits), logits, bits)


def sweep_uniforms(rbm: RBM, shape: tf.Tensor, seed: Seed) -> list[tf.Tensor]:
    """Draws the uniform numbers of one sweep.

    They are drawn in one call: on a CPU it took XLA twice as long in two.

    Args:
      rbm: the RBM, or a batch of them.
      shape: shape of the chains, [S, ...].
      seed: int or int32[2].

    Returns:
      Numbers for side 1, [S, ..., n1], and for side 2, [S, ..., n2].
    """
    sizes = [rbm.bias1.shape[-1], rbm.bias2.shape[-1]]
    return tf.split(
        fast_uniform(tf.concat([shape, [sum(sizes)]], 0), seed, rbm.bias1.dtype), sizes, -1
    )


def relaxed_gibbs(
    rbm: RBM,
    z1: tf.Tensor,
    *,
    num_sweeps: int,
    relax: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    seed: Seed,
) -> RelaxedSample:
    """Runs sweeps of Gibbs sampling in which `relax` stands for the Bernoulli draws.

    Each side is conditioned on the relaxed state of the other. The sweeps are unrolled, and
    differentiable in the parameters (Vahdat et al. 2020, section 3, the path-wise term).

    Args:
      rbm: the RBM, or a batch of them.
      z1: where the sweeps start, hard draws from the RBM, [S, ..., n1].
      num_sweeps: number of sweeps, at least 1.
      relax: maps logits and uniform numbers, of one shape, to states in [0, 1].
      seed: int or int32[2].

    Returns:
      The relaxed states of both sides, and the probabilities of the last ones.

    Raises:
      ValueError: if `num_sweeps` is not a positive int.
    """
    if not (isinstance(num_sweeps, int) and num_sweeps >= 1):
        raise ValueError(f"num_sweeps must be a positive int; it was {num_sweeps!r}.")
    zeta1 = z1
    for i in range(num_sweeps):
        u1, u2 = sweep_uniforms(rbm, tf.shape(z1)[:-1], fold_in(seed, i))
        zeta2 = relax(rbm.logits2(zeta1), u2)
        logits1 = rbm.logits1(zeta2)
        zeta1 = relax(logits1, u1)
    return RelaxedSample(zeta1, zeta2, tf.sigmoid(logits1))


def mean_field(
    rbm: RBM, mean1: tf.Tensor, num_steps: int | tf.Tensor = 40
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds product Bernoullis near to the RBM: each step lowers their KL divergence from it.

    A step is mean2 = sigmoid(b2 + W' mean1), then mean1 = sigmoid(b1 + W mean2).

    Args:
      rbm: the RBM, or a batch of them.
      mean1: where the means of side 1 start, [S, ..., n1]; where the RBM has several modes, the
        fixed point depends on it.
      num_steps: number of steps.

    Returns:
      The means of side 1, [S, ..., n1], and of side 2, [S, ..., n2].
    """
    _, mean1 = tf.while_loop(
        lambda i, _: i < num_steps,
        lambda i, mean1: (i + 1, tf.sigmoid(rbm.logits1(tf.sigmoid(rbm.logits2(mean1))))),
        (0, mean1),
        parallel_iterations=1,
    )
    return mean1, tf.sigmoid(rbm.logits2(mean1))


def mean_field_kl(rbm: RBM, mean1: tf.Tensor, mean2: tf.Tensor) -> tf.Tensor:
    """Computes KL(product of Bernoullis || RBM) - log Z.

    Args:
      rbm: the RBM, or a batch of them.
      mean1: means of side 1, [S, ..., n1].
      mean2: means of side 2, [S, ..., n2].

    Returns:
      The KL divergence less log Z in nats, [S, ...].
    """

    def negative_entropy(mean):
        return tf.reduce_sum(tf.math.xlogy(mean, mean) + tf.math.xlogy(1 - mean, 1 - mean), -1)

    # The log density is linear in either side: its expectation is its value at the means.
    expected = rbm.log_density(mean1, mean2)
    return negative_entropy(mean1) + negative_entropy(mean2) - expected


def binary_states(n: int, dtype=tf.float32) -> tf.Tensor:
    """Lists all states of n binary units.

    Args:
      n: number of units.
      dtype: of the result.

    Returns:
      The states, 0 or 1, [2^n, n].

    Raises:
      ValueError: if n is above 20, a million states.
    """
    if n > _MAX_ENUMERATED:
        raise ValueError(f"Only up to {_MAX_ENUMERATED} units can be enumerated; there were {n}.")
    return tf.cast(tf.range(2**n)[:, None] // 2 ** tf.range(n) % 2, dtype)


def exact_log_normalizer(rbm: RBM) -> tf.Tensor:
    """Computes log Z by enumeration of the smaller side.

    Args:
      rbm: the RBM, or a batch of them.

    Returns:
      log Z in nats, [...].

    Raises:
      ValueError: if both sides have more than 20 units.
    """
    bias1, bias2, weights = rbm
    if bias2.shape[-1] < bias1.shape[-1]:
        bias1, bias2, weights = bias2, bias1, tf.linalg.matrix_transpose(weights)
    n1, num_batch_axes = bias1.shape[-1], bias1.shape.rank - 1
    z1 = tf.reshape(binary_states(n1, bias1.dtype), [-1] + [1] * num_batch_axes + [n1])
    z1 += tf.zeros_like(bias1)  # the same states for every RBM
    return tf.reduce_logsumexp(RBM(bias1, bias2, weights).log_marginal1(z1), 0)
