"""The posterior of a small tanh decoder, whose Hessian is not constant."""

import numpy as np
import tensorflow as tf

_RNG = np.random.default_rng(0)
_LAYERS = _RNG.standard_normal((3, 8)), _RNG.standard_normal((8, 5)) / 3
_IMAGES = _RNG.standard_normal((6, 5)) / 2
START = tf.constant(_RNG.standard_normal((6, 3)))


def tanh_posterior(z):
    """Log p(x, z) of six images, but for a constant: [..., 6, 3] to [..., 6]."""
    mean = tf.tanh(tf.tensordot(z, _LAYERS[0], 1))
    error = _IMAGES - tf.tensordot(mean, _LAYERS[1], 1)
    return -0.5 * tf.reduce_sum(z**2, -1) - 0.5 * tf.reduce_sum(error**2, -1) / 0.4**2
