"""RBMs of so few units that all states can be enumerated, in numpy."""

import itertools

import numpy as np
import tensorflow as tf

import samplers

BATCH = 3
# Biases and weights that are the same everywhere in an RBM of 4 + 4 units.
FERROMAGNET = (-8.0, 4.0)  # all units are 0 or all are 1, and hardly anything else
WEAK = (-3.0, 1.5)  # so, too, but many draws lie between the two modes
BIASED = (6.0, 0.5)
INDEPENDENT = (-1.0, 0.0)
# Wrong RBMs: what is replaced in samplers/rbm.py, and by what.
MACHINES = {
    "transposed weights for side 1": ('"s...j,...ij->s...i"', '"s...j,...ji->s...i"'),
    "transposed weights for side 2": ('"s...i,...ij->s...j"', '"s...i,...ji->s...j"'),
    "one RBM's weights for all": ("z2, self.weights)", "z2, self.weights[:1])"),
    "weights of another RBM": ("z1, self.weights)", "z1, self.weights[::-1])"),
    "no bias of side 1": ("return self.bias1 + tf.einsum", "return tf.einsum"),
    "sign of bias 2": ("return self.bias2 + tf.einsum", "return -self.bias2 + tf.einsum"),
}


def parameters(n1=4, n2=4, batch=(BATCH,), seed=0):
    """Biases and weights of a batch of RBMs, standard normal numbers, float64."""
    rng = np.random.default_rng(seed)
    shapes = (*batch, n1), (*batch, n2), (*batch, n1, n2)
    return [tf.constant(rng.standard_normal(shape)) for shape in shapes]


def batch_of(*kinds, units=4):
    """A batch of RBMs that have the same biases and weights everywhere, float32."""
    biases, weights = np.array(kinds, np.float32).T
    sides = [tf.constant(np.tile(biases[:, None], (1, units)))] * 2
    return samplers.RBM(*sides, tf.constant(np.tile(weights[:, None, None], (1, units, units))))


def enumerated(bias1, bias2, weights):
    """All states [N, n1 + n2] of one RBM, and their unnormalised log densities."""
    bias1, bias2, weights = np.array(bias1), np.array(bias2), np.array(weights)
    states = np.array(list(itertools.product([0.0, 1.0], repeat=len(bias1) + len(bias2))))
    halves = [(z[: len(bias1)], z[len(bias1) :]) for z in states]
    return states, np.array([z1 @ bias1 + z2 @ bias2 + z1 @ weights @ z2 for z1, z2 in halves])


def probabilities(log_density):
    """Those of states, from their unnormalised log densities."""
    return np.exp(log_density - np.logaddexp.reduce(log_density))


def exact_draws(rbm, size, seed=1):
    """Exact draws from every RBM of a batch, both sides in one vector: [size, B, n1 + n2]."""
    rng, draws = np.random.default_rng(seed), []
    for one in zip(*rbm, strict=True):
        states, log_density = enumerated(*one)
        draws.append(states[rng.choice(len(states), size, p=probabilities(log_density))])
    return np.stack(draws, 1)


def exact_moments(rbm):
    """What `checking.moments` are on average of the states of a batch of RBMs, in one vector."""
    means, covariances = [], []
    for one in zip(*rbm, strict=True):
        states, log_density = enumerated(*one)
        means.append(probabilities(log_density) @ states)
        covariances.append(np.cov(states.T, aweights=probabilities(log_density), ddof=0))
    mean, size = np.concatenate(means), len(means[0])
    second = np.outer(mean, mean)
    for b, covariance in enumerate(covariances):
        second[b * size : (b + 1) * size, b * size : (b + 1) * size] += covariance
    return np.concatenate([mean, second.ravel()])
