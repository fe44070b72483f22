"""Glow: a flow of images in several scales (Kingma and Dhariwal 2018)."""

import contextlib
import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf

from layers.flows import Flow, generator
from layers.policy import made_by

COUPLINGS = ("additive", "affine")
_starts_from_data = False


@contextlib.contextmanager
def started_from_data() -> Iterator[None]:
    """A context in which every `ActNorm` that is called sets its weights by its inputs, eagerly."""
    global _starts_from_data
    _starts_from_data = True
    try:
        yield
    finally:
        _starts_from_data = False


@keras.saving.register_keras_serializable("zoo")
class ActNorm(Flow):
    """An affine map of every channel, s (x + b) (Kingma and Dhariwal 2018, section 3.1).

    Called within `started_from_data` it gives its outputs there mean 0 and variance 1.
    """

    def build(self, input_shape):
        size = input_shape[-1:]
        self.bias = self.add_weight(name="bias", shape=size, initializer="zeros")
        self.log_scale = self.add_weight(name="log_scale", shape=size, initializer="zeros")

    def call(self, x, context=None):
        if _starts_from_data:
            mean, variance = tf.nn.moments(x, [0, 1, 2])
            self.bias.assign(-mean)
            self.log_scale.assign(-0.5 * tf.math.log(variance + 1e-6))
        return (x + self.bias) * tf.exp(self.log_scale), _of_pixels(x, self.log_scale)

    def inverse(self, x, context=None):
        return x * tf.exp(-self.log_scale) - self.bias


@keras.saving.register_keras_serializable("zoo")
class InvertibleConvolution(Flow):
    """A 1x1 convolution by a matrix W = P L U, of which P stays (section 3.2, eq. 11).

    L is unit lower triangular, and the diagonal of U has fixed signs and learned logarithms, so
    that the determinant is their sum. W starts as a rotation drawn at random.

    Args:
      seed: of the rotation.
    """

    def __init__(self, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape):
        size = input_shape[-1]
        q, r = np.linalg.qr(generator(self.seed).normal(size=(size, size)))
        permutation, lower, upper = scipy.linalg.lu(q * np.sign(np.diag(r)))
        diagonal = np.diag(upper)
        for name, value, trainable in (
            ("permutation", permutation, False),
            ("signs", np.sign(diagonal), False),
            ("lower", np.tril(lower, -1), True),
            ("upper", np.triu(upper, 1), True),
            ("log_diagonal", np.log(np.abs(diagonal)), True),
        ):
            start = keras.initializers.Constant(value)
            weight = self.add_weight(
                name=name, shape=value.shape, initializer=start, trainable=trainable
            )
            setattr(self, name, weight)

    def _triangles(self):
        lower = tf.convert_to_tensor(self.lower)
        upper = tf.convert_to_tensor(self.upper)
        strict = tf.linalg.band_part(lower, -1, 0) - tf.linalg.band_part(lower, 0, 0)
        lower = strict + tf.eye(lower.shape[0], dtype=lower.dtype)
        diagonal = self.signs * tf.exp(self.log_diagonal)
        strict = tf.linalg.band_part(upper, 0, -1) - tf.linalg.band_part(upper, 0, 0)
        return lower, strict + tf.linalg.diag(diagonal)

    def call(self, x, context=None):
        lower, upper = self._triangles()
        matrix = tf.linalg.matmul(self.permutation, tf.linalg.matmul(lower, upper))
        return tf.linalg.matmul(x, matrix), _of_pixels(x, self.log_diagonal)

    def inverse(self, x, context=None):
        lower, upper = self._triangles()
        identity = tf.eye(lower.shape[0], dtype=lower.dtype)
        inverse = tf.linalg.triangular_solve(
            upper, tf.linalg.triangular_solve(lower, identity), lower=False
        )
        return tf.linalg.matmul(x, tf.linalg.matmul(inverse, self.permutation, transpose_b=True))

    def get_config(self):
        return super().get_config() | {"seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class ImageCoupling(Flow):
    """A coupling of halves of the channels, additive or affine (section 3.3 and table 1).

    The second half becomes x_2 + m(x_1), or sigmoid(s + 2) (x_2 + m(x_1)), with m and s of
    convolutions that start at 0.

    Args:
      kind: one of `COUPLINGS`.
      width: channels of the hidden layers.
      seed: of the initial weights.
    """

    def __init__(self, kind: str = "affine", *, width: int = 512, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.width, self.seed = kind, width, seed

    def build(self, input_shape):
        size = input_shape[-1]
        self._sizes = [size // 2, size - size // 2]
        outputs = self._sizes[1] * (2 if self.kind == "affine" else 1)
        start = keras.initializers.RandomNormal(0.0, 0.05, seed=self.seed)
        other = keras.initializers.RandomNormal(0.0, 0.05, seed=self.seed + 1)
        arguments = {"padding": "same", "use_bias": False}
        with made_by(self.dtype_policy):
            self.hidden = [
                keras.layers.Conv2D(self.width, 3, kernel_initializer=start, **arguments),
                ActNorm(),
                keras.layers.Conv2D(self.width, 1, kernel_initializer=other, **arguments),
                ActNorm(),
            ]
            self.outputs = ZeroConvolution(outputs)
        shape = (*input_shape[:-1], self._sizes[0])
        for layer in self.hidden:
            layer.build(shape)
            shape = (*input_shape[:-1], self.width)
        self.outputs.build(shape)

    def call(self, x, context=None):
        first, second = tf.split(x, self._sizes, -1)
        shift, log_scale = self._of(first)
        second = (second + shift) * tf.exp(log_scale)
        return tf.concat([first, second], -1), tf.reduce_sum(log_scale, [1, 2, 3])

    def inverse(self, x, context=None):
        first, second = tf.split(x, self._sizes, -1)
        shift, log_scale = self._of(first)
        return tf.concat([first, second * tf.exp(-log_scale) - shift], -1)

    def _of(self, first):
        features = first
        for convolution, norm in (self.hidden[:2], self.hidden[2:]):
            features = tf.nn.relu(norm(convolution(features))[0])
        outputs = tf.cast(self.outputs(features), first.dtype)
        if self.kind == "additive":
            return outputs, tf.zeros_like(outputs)
        shift, logit = tf.split(outputs, 2, -1)
        return shift, tf.math.log_sigmoid(logit + 2)

    def get_config(self):
        arguments = {"kind": self.kind, "width": self.width, "seed": self.seed}
        return super().get_config() | arguments


@keras.saving.register_keras_serializable("zoo")
class ZeroConvolution(keras.layers.Layer):
    """A 3x3 convolution that starts at 0, its outputs times exp(3 s), s learned (as the paper's).

    Args:
      filters: channels of the output.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        shape = (3, 3, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")
        self.log_scale = self.add_weight(name="log_scale", shape=shape[-1:], initializer="zeros")

    def call(self, x):
        outputs = tf.nn.conv2d(x, tf.cast(self.kernel, x.dtype), 1, "SAME") + self.bias
        return outputs * tf.exp(3 * self.log_scale)

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


@keras.saving.register_keras_serializable("zoo")
class GlowNetwork(Flow):
    """A flow from images [N, H, W, C] to vectors [N, H W C], for which N(0, I) is meant.

    In every scale the image is squeezed (2 by 2 pixels become channels), and `depth` times
    normalised, mixed by an invertible convolution and coupled; then half of the channels are done,
    but for the last scale. What is done is standardised by mean and deviation: given the other half
    by a `ZeroConvolution` of that, and in the last scale as they are, or as learned.
    `is_started` tells whether the `ActNorm`s were set by data.

    Args:
      event_shape: (H, W, C).
      num_scales: L; every one but the last halves the channels.
      depth: K, steps in each scale.
      width: hidden channels of the couplings.
      coupling: one of `COUPLINGS`.
      squeeze: whether images are squeezed.
      learn_top: whether mean and deviation of the last scale are learned.
      seed: of the initial weights.

    Raises:
      ValueError: for images that cannot be squeezed so often, or of too few channels to be coupled.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        num_scales: int = 3,
        depth: int = 16,
        width: int = 512,
        coupling: str = "affine",
        squeeze: bool = True,
        learn_top: bool = False,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.arguments = {
            "event_shape": tuple(event_shape),
            "num_scales": num_scales,
            "depth": depth,
            "width": width,
            "coupling": coupling,
            "squeeze": squeeze,
            "learn_top": learn_top,
            "seed": seed,
        }
        self.event_shape, self.squeeze = tuple(event_shape), squeeze
        shape, self.shapes, self.scales, self.heads = self.event_shape, [], [], []
        with made_by(self.dtype_policy):
            for k in range(num_scales):
                if squeeze:
                    height, width_, channels = shape
                    if height % 2 or width_ % 2:
                        raise ValueError(
                            f"event_shape must be halved {num_scales} times without rest; it was "
                            f"{self.event_shape}."
                        )
                    shape = (height // 2, width_ // 2, 4 * channels)
                if shape[-1] < 2:
                    raise ValueError(
                        f"event_shape must have two channels or more in every scale of "
                        f"{num_scales}; it was {self.event_shape}."
                    )
                self.shapes.append(shape)
                steps = []
                for step in range(depth):
                    key = seed + 1000 * k + 10 * step
                    steps += [
                        ActNorm(),
                        InvertibleConvolution(seed=key),
                        ImageCoupling(coupling, width=width, seed=key),
                    ]
                for flow in steps:
                    flow.build((None, *shape))
                self.scales.append(steps)
                last = k == num_scales - 1
                kept = 0 if last else shape[-1] // 2
                head = None
                if not last or learn_top:
                    head = ZeroConvolution(2 * (shape[-1] - kept))
                    head.build((None, *shape[:2], kept or 1))
                self.heads.append(head)
                shape = (*shape[:2], kept)
        self.is_started = self.add_weight(
            name="is_started", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, x, context=None):
        total, done = tf.zeros(tf.shape(x)[:1], x.dtype), []
        for shape, steps, head in zip(self.shapes, self.scales, self.heads, strict=True):
            if self.squeeze:
                x = tf.nn.space_to_depth(x, 2)
            for flow in steps:
                x, log_det = flow(x)
                total += log_det
            kept = 0 if shape is self.shapes[-1] else shape[-1] // 2
            x, z = x[..., :kept], x[..., kept:]
            mean, log_scale = self._standard(head, x, z)
            total -= tf.reduce_sum(log_scale, [1, 2, 3])
            done.append(tf.reshape((z - mean) * tf.exp(-log_scale), [-1, math.prod(z.shape[1:])]))
        return tf.concat(done, -1), total

    def inverse(self, z, context=None):
        sizes = [math.prod(shape) for shape in self.shapes]
        sizes = [a - b for a, b in zip(sizes, [*sizes[1:], 0], strict=True)]
        parts, x = tf.split(z, sizes, -1), None
        for shape, steps, head, part in reversed(
            list(zip(self.shapes, self.scales, self.heads, parts, strict=True))
        ):
            kept = 0 if x is None else x.shape[-1]
            part = tf.reshape(part, [-1, *shape[:2], shape[-1] - kept])
            x = part[..., :0] if x is None else x
            mean, log_scale = self._standard(head, x, part)
            x = tf.concat([x, part * tf.exp(log_scale) + mean], -1)
            for flow in reversed(steps):
                x = flow.inverse(x)
            if self.squeeze:
                x = tf.nn.depth_to_space(x, 2)
        return x

    def _standard(self, head, kept, z):
        """Mean and log deviation of what is done, given what is kept."""
        if head is None:
            return tf.zeros_like(z), tf.zeros_like(z)
        seen = kept if kept.shape[-1] else tf.zeros_like(z[..., :1])
        return tf.split(tf.cast(head(seen), z.dtype), 2, -1)

    def get_config(self):
        return super().get_config() | self.arguments


def _of_pixels(x, log_scale):
    """The log determinant of a map of channels: that of a pixel, at all H W of them, [N]."""
    shape = tf.shape(x)
    num_pixels = tf.cast(shape[1] * shape[2], x.dtype)
    return tf.fill(shape[:1], num_pixels * tf.reduce_sum(log_scale))
