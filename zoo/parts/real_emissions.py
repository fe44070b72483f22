"""Emissions of real numbers, which networks see standardised: Gaussians, and pen strokes."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.checks import UsageError, check_count, check_flag, check_positive
from zoo.core.sequences import SequenceField, StrokesField, WaveformField
from zoo.parts.emission import Emission, uniform_by_step

tfd = tfp.distributions


class _Standardised(Emission):
    """The base of emissions of real numbers, which networks see standardised.

    Densities have the Jacobian of that, minus the sum of log `scale`.

    Args:
      num_components: M, of the mixture; 1 is no mixture.
      mean: of each dimension, [D], which is subtracted; zeros by default.
      scale: of each dimension, [D], by which is then divided; ones by default.
      grid: if positive, the step of the grid on which the data lie: uniform noise as wide as one
        step is added (dequantisation), without which densities could grow without a bound.
      floor: of the scales of Gaussians, in units of standardised data.
    """

    standardises = True

    def __init__(
        self,
        num_components: int = 1,
        mean: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        grid: float = 0.0,
        floor: float = 1e-4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_count(num_components=num_components)
        check_positive(floor=floor)
        if grid:
            check_positive(grid=grid)
        for number in () if scale is None else scale:
            check_positive(scale=number)
        if mean is not None and not np.isfinite(mean).all():
            raise UsageError(f"mean must hold finite numbers; it was {mean}.")
        self.num_components, self.grid, self.floor = num_components, grid, floor
        self.mean = None if mean is None else [float(m) for m in mean]
        self.scale = None if scale is None else [float(s) for s in scale]

    def preprocess(self, x, seed):
        if not self.grid:
            return x
        return x + self.grid * (uniform_by_step(x, seed) - 0.5) * self._is_real(x)

    def start_outputs(self, num_dims):
        for name, given in {"mean": self.mean, "scale": self.scale}.items():
            if given is not None and len(given) != num_dims:
                raise UsageError(
                    f"{name} must have a number for each of the {num_dims} of a step; it has "
                    f"{len(given)}."
                )
        return self._start_outputs(num_dims)

    def _start_outputs(self, num_dims):
        raise NotImplementedError

    def _is_real(self, x):
        """Which of the dimensions are real numbers, 1 or 0, [D]."""
        return tf.ones(x.shape[-1:], x.dtype)

    def standardised(self, x):
        mean, scale = self._moments(x)
        return (x - mean) / scale

    def _moments(self, x):
        zeros, ones = np.zeros(x.shape[-1]), np.ones(x.shape[-1])
        mean = zeros if self.mean is None else self.mean
        scale = ones if self.scale is None else self.scale
        return tf.constant(mean, x.dtype), tf.constant(scale, x.dtype)

    def _original(self, x):
        """The inverse of `standardised`."""
        mean, scale = self._moments(x)
        return mean + scale * x

    def log_prob(self, outputs, x):
        _, scale = self._moments(x)
        standardised = self.standardised(x)
        return self._log_prob(outputs, standardised) - tf.reduce_sum(tf.math.log(scale))

    def _log_prob(self, outputs, x):
        """The log density of standardised steps."""
        raise NotImplementedError

    def _log_shares(self, logits):
        return tf.nn.log_softmax(logits, -1)

    def _scales(self, raw):
        return self.floor + tf.nn.softplus(raw)

    def _component(self, logits, seed):
        """A component drawn for each step, one-hot [..., M, 1]."""
        uniform = samplers.fast_uniform(tf.shape(logits), seed, logits.dtype)
        gumbel = -tf.math.log(-tf.math.log(tf.maximum(uniform, 1e-30)))
        drawn = tf.argmax(self._log_shares(logits) + gumbel, -1)
        return tf.one_hot(drawn, self.num_components, dtype=logits.dtype)[..., None]

    def get_config(self):
        return super().get_config() | {
            "num_components": self.num_components,
            "mean": self.mean,
            "scale": self.scale,
            "grid": self.grid,
            "floor": self.floor,
        }


_UNIT = math.log(math.e - 1)  # whose softplus is 1


@keras.saving.register_keras_serializable("zoo")
class GaussianEmission(_Standardised):
    """The emission of real numbers, such as frames of a waveform: M diagonal Gaussians.

    Of one the outputs are D means and D scales before their softplus; of several, before these the
    logits of the components, and means and scales of each (Chung et al. 2015, section 4.1).

    Args:
      waveform: whether steps are frames of a waveform, which can be drawn and heard.
      **kwargs: `num_components`, `mean`, `scale`, `grid` and `floor`, as the base.
    """

    def __init__(self, *, waveform: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_flag(waveform=waveform)
        self.waveform = waveform

    def field(self, shape):
        field = WaveformField if self.waveform else SequenceField
        return field(shape, self.dtype, grid=self.grid)

    def get_config(self):
        return super().get_config() | {"waveform": self.waveform}

    def _start_outputs(self, num_dims):
        shares = np.zeros(self.num_components if self.num_components > 1 else 0)
        size = self.num_components * num_dims
        return np.concatenate([shares, np.zeros(size), np.full(size, _UNIT)])

    def _parameters(self, outputs):
        """Logits [..., M], means and scales [..., M, D]."""
        count = self.num_components
        logits, others = tf.zeros_like(outputs[..., :1]), outputs
        if count > 1:
            logits, others = outputs[..., :count], outputs[..., count:]
        shape = tf.concat([tf.shape(outputs)[:-1], [2, count, others.shape[-1] // (2 * count)]], 0)
        mean, raw = tf.unstack(tf.reshape(others, shape), axis=-3)
        return logits, mean, self._scales(raw)

    def _log_prob(self, outputs, x):
        logits, mean, scale = self._parameters(outputs)
        each = tf.reduce_sum(tfd.Normal(mean, scale).log_prob(x[..., None, :]), -1)
        return tf.reduce_logsumexp(self._log_shares(logits) + each, -1)

    def draw(self, outputs, seed):
        logits, mean, scale = self._parameters(outputs)
        chosen = self._component(logits, samplers.fold_in(seed, "component"))
        mean, scale = (tf.reduce_sum(chosen * value, -2) for value in (mean, scale))
        noise = samplers.normal(tf.shape(mean), samplers.fold_in(seed, "noise"), mean.dtype)
        return self._original(mean + scale * noise)

    def expected(self, outputs):
        logits, mean, _ = self._parameters(outputs)
        return self._original(tf.reduce_sum(tf.nn.softmax(logits)[..., None] * mean, -2))

    def share_at_floor(self, outputs):
        _, _, scale = self._parameters(outputs)
        return tf.reduce_mean(tf.cast(scale < 2 * self.floor, outputs.dtype), [-2, -1])


@keras.saving.register_keras_serializable("zoo")
class PenStrokesEmission(_Standardised):
    """The emission of pen strokes (dx, dy, pen up): M correlated Gaussians, and a bit.

    The outputs are the logit of the bit, the logits of the components, and of each its two means,
    its two scales before their softplus, and its correlation before tanh (Graves 2013, eqs. 20 to
    25). The pen's own mean and scale are 0 and 1, whatever is given.
    """

    def field(self, shape):
        return StrokesField(shape, self.dtype, grid=self.grid)

    def _start_outputs(self, num_dims):
        if num_dims != 3:
            raise UsageError(
                f"emission: 'pen_strokes' must have steps of 3 numbers, dx, dy and pen up; the "
                f"data's have {num_dims}."
            )
        count = self.num_components
        return np.concatenate([np.zeros(1 + 3 * count), np.full(2 * count, _UNIT), np.zeros(count)])

    def _is_real(self, x):
        return tf.constant([1.0, 1.0, 0.0], x.dtype)

    def _moments(self, x):
        mean, scale = super()._moments(x)
        is_real = self._is_real(x)
        return is_real * mean, is_real * scale + (1 - is_real)

    def _parameters(self, outputs):
        """The pen's logit [...], logits [..., M], two means and scales, correlation [..., M]."""
        pen, *others = tf.split(outputs, [1, *6 * [self.num_components]], axis=-1)
        logits, mean1, mean2, raw1, raw2, raw = others
        # Below 1, by more than rounding.
        correlation = 0.999 * tf.tanh(raw)
        return (
            pen[..., 0],
            logits,
            mean1,
            mean2,
            self._scales(raw1),
            self._scales(raw2),
            correlation,
        )

    def _log_prob(self, outputs, x):
        pen, logits, mean1, mean2, scale1, scale2, correlation = self._parameters(outputs)
        dx, dy, up = tf.split(x, 3, axis=-1)
        # p(dx) p(dy given dx).
        first = tfd.Normal(mean1, scale1).log_prob(dx)
        second = tfd.Normal(
            mean2 + correlation * scale2 * (dx - mean1) / scale1,
            scale2 * tf.sqrt(1 - tf.square(correlation)),
        ).log_prob(dy)
        offset = tf.reduce_logsumexp(self._log_shares(logits) + first + second, -1)
        return offset + tfd.Bernoulli(logits=pen).log_prob(up[..., 0])

    def draw(self, outputs, seed):
        pen, logits, *others = self._parameters(outputs)
        chosen = self._component(logits, samplers.fold_in(seed, "component"))[..., 0]
        mean1, mean2, scale1, scale2, correlation = (
            tf.reduce_sum(chosen * value, -1) for value in others
        )
        shape = tf.concat([[2], tf.shape(mean1)], 0)
        noise1, noise2 = tf.unstack(
            samplers.normal(shape, samplers.fold_in(seed, "noise"), pen.dtype)
        )
        noise2 = correlation * noise1 + tf.sqrt(1 - tf.square(correlation)) * noise2
        uniform = samplers.fast_uniform(tf.shape(pen), samplers.fold_in(seed, "pen"), pen.dtype)
        up = tf.cast(uniform < tf.sigmoid(pen), pen.dtype)
        drawn = [mean1 + scale1 * noise1, mean2 + scale2 * noise2, up]
        return self._original(tf.stack(drawn, -1))

    def expected(self, outputs):
        pen, logits, mean1, mean2, *_ = self._parameters(outputs)
        shares = tf.nn.softmax(logits)
        means = [tf.reduce_sum(shares * mean, -1) for mean in (mean1, mean2)]
        return self._original(tf.stack([*means, tf.sigmoid(pen)], -1))

    def share_at_floor(self, outputs):
        scales = tf.stack(self._parameters(outputs)[4:6])
        return tf.reduce_mean(tf.cast(scales < 2 * self.floor, outputs.dtype), [0, -1])
