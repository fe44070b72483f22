"""Normalising flows: invertible maps of vectors, with the logarithms of their determinants."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from layers.fold import fold
from layers.made import MADE
from layers.networks import mlp
from layers.policy import made_by


class Flow(keras.layers.Layer):
    """The base of flows: `call(z, context)` gives f(z) [..., K] and log |det df/dz| [...], in nats.

    What a flow is conditional on, `context`, is [..., C]; its leading axes are z's, or spread over
    them. A flow with an `inverse(z, context)` returns the vector that f maps to z.
    """


@keras.saving.register_keras_serializable("zoo")
class Planar(Flow):
    """A planar flow, f(z) = z + u tanh(w' z + b) (Rezende and Mohamed 2015, eqs. 10 to 12).

    It is invertible where w' u > -1, to which u is brought as in their appendix A: its part along w
    is m(w' u), with m(a) = softplus(a + log(e - 1)) - 1. (Of theirs without the constant; so m(0) =
    0, and u = 0 is the identity.) Its inverse has no closed form.

    Args:
      amortised: whether u, w and b are the context, 2 K + 1 numbers, and no weights of the layer.
      seed: of the initial w, whose length is near 1; u and b start at 0.
    """

    def __init__(self, *, amortised: bool = False, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.amortised, self.seed = amortised, seed

    def build(self, input_shape):
        if not self.amortised:
            size = 2 * input_shape[-1] + 1
            start = keras.initializers.Constant(self.start(input_shape[-1]))
            self.parameters = self.add_weight(name="parameters", shape=(size,), initializer=start)

    def start(self, size: int) -> np.ndarray:
        """u, w and b of a new flow of K = `size`: the identity, in a direction drawn at random."""
        w = generator(self.seed).normal(size=size) / math.sqrt(size)
        return np.concatenate([np.zeros(size), w, [0.0]]).astype("f")

    def call(self, z, context=None):
        size = z.shape[-1]
        parameters = context if self.amortised else tf.convert_to_tensor(self.parameters)
        u, w, b = tf.split(parameters, [size, size, 1], -1)
        along = tf.reduce_sum(w * u, -1, keepdims=True)
        # 1 + w' u, by which the flow stretches z along w at most; positive, also where it rounds.
        stretch = tf.nn.softplus(along + math.log(math.e - 1)) + 1e-6
        u += (stretch - 1 - along) * w / (tf.reduce_sum(w * w, -1, keepdims=True) + 1e-8)
        h = tf.tanh(tf.reduce_sum(w * z, -1, keepdims=True) + b)
        # 1 + u' psi, psi = (1 - h^2) w at the point that is mapped.
        determinant = h * h + (1 - h * h) * stretch
        return z + u * h, tf.math.log(tf.squeeze(determinant, -1))

    def get_config(self):
        return super().get_config() | {"amortised": self.amortised, "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class AdditiveCoupling(Flow):
    """NICE's coupling, which keeps volumes: z_B + m(z_A), z_A as it was (Dinh et al. 2015, 3.2).

    A is the first half of z, B the rest; m starts at 0. `Mixing` between two of them lets all
    latents depend on all others.

    Args:
      hidden: units of the hidden layers of m.
      activation: of these.
      seed: of the initial weights of m.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        *,
        activation: str = "relu",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden, self.activation, self.seed = tuple(hidden), activation, seed

    def build(self, input_shape, context_shape=None):
        self._sizes = [input_shape[-1] // 2, input_shape[-1] - input_shape[-1] // 2]
        size = self._sizes[0] + (context_shape[-1] if context_shape else 0)
        with made_by(self.dtype_policy):
            self.network = mlp(
                (size,), self.hidden, (self._sizes[1],), activation=self.activation, seed=self.seed
            )
        self.network.layers[-2].kernel.assign(0 * self.network.layers[-2].kernel)

    def call(self, z, context=None):
        first, second = tf.split(z, self._sizes, -1)
        moved = tf.concat([first, second + self._shift(first, context)], -1)
        return moved, tf.zeros(tf.shape(z)[:-1], z.dtype)

    def inverse(self, z, context=None):
        first, second = tf.split(z, self._sizes, -1)
        return tf.concat([first, second - self._shift(first, context)], -1)

    def _shift(self, first, context):
        return fold(self.network, first if context is None else _joined(first, context))

    def get_config(self):
        arguments = {"hidden": self.hidden, "activation": self.activation, "seed": self.seed}
        return super().get_config() | arguments


@keras.saving.register_keras_serializable("zoo")
class Mixing(Flow):
    """A fixed rotation of z, by a permutation or by an orthogonal matrix, both drawn at random.

    Args:
      kind: "permutation" or "orthogonal".
      seed: of the matrix.
    """

    def __init__(self, kind: str = "permutation", *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.seed = kind, seed

    def build(self, input_shape):
        size, rng = input_shape[-1], generator(self.seed)
        if self.kind == "permutation":
            matrix = np.eye(size)[rng.permutation(size)]
        else:
            q, r = np.linalg.qr(rng.normal(size=(size, size)))
            matrix = q * np.sign(np.diag(r))  # so that all rotations are equally likely
        start = keras.initializers.Constant(matrix)
        self.matrix = self.add_weight(
            name="matrix", shape=(size, size), initializer=start, trainable=False
        )

    def call(self, z, context=None):
        return tf.linalg.matmul(z, self.matrix), tf.zeros(tf.shape(z)[:-1], z.dtype)

    def inverse(self, z, context=None):
        return tf.linalg.matmul(z, self.matrix, transpose_b=True)

    def get_config(self):
        return super().get_config() | {"kind": self.kind, "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class InverseAutoregressive(Flow):
    """A step of IAF: g z + (1 - g) m, with m and g of a `MADE` of z (Kingma et al. 2016, eq. 14).

    The gate is g = sigmoid(s + 2), which starts near 1. The Jacobian is triangular under the
    degrees' order, with g on its diagonal.

    Args:
      hidden: as `MADE`, and so are the others.
      activation: of the hidden layers.
      reverse: whether the last latent comes first in the order.
      seed: of the initial weights.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (256, 256),
        *,
        activation: str = "elu",
        reverse: bool = False,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        arguments = {"activation": activation, "reverse": reverse, "seed": seed}
        self.made = MADE(2, hidden, dtype=self.dtype, **arguments)

    def build(self, input_shape, context_shape=None):
        self.made.build(input_shape, context_shape)

    def call(self, z, context=None):
        centre, logit = self._of(z, context)
        gate = tf.sigmoid(logit)
        return gate * z + (1 - gate) * centre, tf.reduce_sum(tf.math.log_sigmoid(logit), -1)

    def inverse(self, z, context=None):
        """The inverse, in K passes: the first settles the first latent, and so on."""
        found = z
        for _ in range(z.shape[-1]):
            centre, logit = self._of(found, context)
            gate = tf.sigmoid(logit)
            found = (z - (1 - gate) * centre) / gate
        return found

    def _of(self, z, context):
        centre, logit = tf.split(self.made(z, context), 2, -1)
        return centre, logit + 2

    def get_config(self):
        names = ("hidden", "activation", "reverse", "seed")
        made = self.made.get_config()
        return super().get_config() | {name: made[name] for name in names}


def generator(seed: int) -> np.random.Generator:
    """NumPy's generator of a whole number, which may be negative."""
    return np.random.default_rng(seed % 2**63)


def _joined(z, context):
    """z [..., K] and what it is conditional on, [..., C], side by side."""
    shape = tf.concat([tf.shape(z)[:-1], tf.shape(context)[-1:]], 0)
    context = tf.ensure_shape(tf.broadcast_to(context, shape), [*z.shape[:-1], context.shape[-1]])
    return tf.concat([z, context], -1)
