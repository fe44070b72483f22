"""A linear dynamical system as a VRNN: z_t ~ N(F z_{t-1}, Q), x_t ~ N(C z_t + A x_{t-1}, R).

All starts at 0; the emission sees x_{t-1} in h_{t-1}.
"""

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from zoo.models.vrnn import VRNN
from zoo.parts.real_emissions import GaussianEmission

F = np.array([[0.8, 0.3], [-0.2, 0.7]])
# Diagonals.
Q, C, R = np.array([0.5, 0.3]), np.array([1.2, 0.7]), np.array([0.4, 0.2])
A = np.array([0.5, -0.3])


class Memory(keras.layers.Layer):
    """A cell whose state is what it was last given, (x_t, z_t)."""

    def __init__(self, state_size, **kwargs):
        super().__init__(**kwargs)
        self.state_size = state_size

    def call(self, inputs, states):
        return inputs, [inputs]


def linear(name, matrix, bias):
    """A Keras model of one linear layer, [N, n] -> [N, m]; `matrix` is [m, n]."""
    matrix = np.asarray(matrix)
    dense = keras.layers.Dense(len(matrix), dtype="float64")
    model = keras.Sequential([keras.Input((matrix.shape[1],), dtype="float64"), dense], name=name)
    dense.set_weights([matrix.T, np.broadcast_to(bias, len(matrix))])
    return model


def system(proposal=None, *, max_length=6, emission=None, num_dims=2, encoder=None, **kwargs):
    """The VRNN.

    Args:
      proposal: matrix [2, num_dims + 4] and stddev [2] of q's mean and scale, of (x_t, h_{t-1});
        by default the optimal one, p(z_t given z_{t-1}, x_t).
      max_length: T.
      emission: by default N(C z_t + A x_{t-1}, R).
      num_dims: of what is observed, the first two of which are x_t.
      encoder: in place of the proposal, if given.
      **kwargs: of the model.
    """
    matrix, stddev = optimal() if proposal is None else proposal
    raw = np.log(np.expm1(np.sqrt(R) - 1e-4))
    prior = np.concatenate(
        [np.concatenate([np.zeros([2, num_dims]), F], 1), np.zeros([2, num_dims + 2])]
    )
    decoder = np.zeros([4, 4 + num_dims])
    decoder[:2, :2], decoder[:2, 2:4] = np.diag(C), np.diag(A)
    by_matrix = np.concatenate([matrix, np.zeros([2, matrix.shape[1]])])
    start = np.concatenate([np.zeros(2), np.log(stddev)])
    return VRNN(
        Memory(num_dims + 2, dtype="float64"),
        linear("x_features", np.eye(num_dims), 0.0),
        linear("z_features", np.eye(2), 0.0),
        encoder or linear("encoder", by_matrix, start),
        linear("decoder", decoder, np.concatenate([np.zeros(2), raw])),
        linear("prior_network", prior, np.concatenate([np.zeros(2), np.log(Q) / 2])),
        emission=emission or GaussianEmission(dtype="float64"),
        max_length=max_length,
        dtype="float64",
        **kwargs,
    )


def optimal():
    """p(z_t given z_{t-1}, x_t): matrix of (x_t, x_{t-1}, z_{t-1}), and standard deviations."""
    variance = 1 / (1 / Q + C**2 / R)
    gain = np.diag(variance * C / R)
    return (
        np.concatenate([gain, -gain * A, np.diag(variance / Q) @ F], 1),
        np.sqrt(variance),
    )


def kalman(x):
    """log p(x_t given what came before) of one sequence [T, 2], [T]."""
    mean, covariance, found = np.zeros(2), np.zeros([2, 2]), []
    for seen in x - A * np.append(np.zeros([1, 2]), x[:-1], 0):
        mean, covariance = F @ mean, F @ covariance @ F.T + np.diag(Q)
        total = np.diag(C) @ covariance @ np.diag(C) + np.diag(R)
        found.append(stats.multivariate_normal(C * mean, total).logpdf(seen))
        gain = covariance @ np.diag(C) @ np.linalg.inv(total)
        mean = mean + gain @ (seen - C * mean)
        covariance = covariance - gain @ np.diag(C) @ covariance
    return np.array(found)


def sequences(num_sequences, max_length=6, seed=0):
    """A batch of draws of the system, of lengths up to T, 0 beyond them."""
    generator = np.random.default_rng(seed)
    z, x = np.zeros([num_sequences, 2]), [np.zeros([num_sequences, 2])]
    for _ in range(max_length):
        z = z @ F.T + np.sqrt(Q) * generator.standard_normal(z.shape)
        x.append(C * z + A * x[-1] + np.sqrt(R) * generator.standard_normal(z.shape))
    length = generator.integers(2, max_length + 1, num_sequences)
    length[0] = max_length
    x = np.stack(x[1:], 1) * (np.arange(max_length)[:, None] < length[:, None, None])
    return {"x": tf.constant(x), "length": tf.constant(length, tf.int32)}
