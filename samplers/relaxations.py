"""Numbers in [0, 1] in place of bits, so that gradients pass: relaxations of Bernoulli variables.

A relaxation turns logits l and a uniform number u into zeta, near to the bit z ~ Bernoulli(q),
q = sigmoid(l). Given u it is differentiable in l. All shapes broadcast. In float32, too, numbers
and gradients are finite for all finite logits and all u in [0, 1), 0 included.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Relaxation:
    """A relaxation of Bernoulli draws: the larger `beta`, the nearer its numbers are to bits.

    Attributes:
      beta: inverse temperature.
      overlapping: whether zeta has a density for either bit, so that bits can be summed out.
      has_density: whether zeta has a density, so that it can be scored itself.

    Raises:
      ValueError: if `beta` is not positive.
    """

    beta: float
    overlapping = False
    has_density = False

    def __post_init__(self):
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta must be greater than 0; it was {self.beta!r}.")

    def __call__(self, logits: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        """Draws zeta.

        Args:
          logits: l, the log odds of a 1.
          u: uniform numbers in [0, 1).

        Returns:
          zeta in [0, 1], with a gradient in `logits`.
        """
        raise NotImplementedError

    def cdf(self, zeta: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Computes the cumulative distribution function.

        Args:
          zeta: where it is wanted.
          logits: l, the log odds of a 1.

        Returns:
          The probability that a draw is at most `zeta`.
        """
        raise NotImplementedError

    def mean_bit(self, zeta: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Tells what bit a draw came from.

        Args:
          zeta: draws.
          logits: l, the log odds of a 1.

        Returns:
          E[z given zeta]; zeta itself where it is drawn in place of z, of which nothing else is
          known.
        """
        return zeta

    def scored(self, zeta: tf.Tensor, logits: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        """Tells where `scored_log_prob` scores a draw.

        Args:
          zeta: the draw.
          logits: l, of which with `u` it was drawn.
          u: uniform numbers in [0, 1).

        Returns:
          zeta, or another function of it of which floats tell more values apart.
        """
        return zeta

    def scored_log_prob(self, at: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Computes the log density of draws, where it has one.

        Args:
          at: what `scored` returns.
          logits: l, the log odds of a 1.

        Returns:
          The log density of `at`, in nats.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class PiecewiseLinear(Relaxation):
    """The relaxation zeta = clip(1/2 + a (u - (1 - q)), 0, 1).

    Its slope is a = beta / 4 / (q (1 - q) + 0.01). From q = 0.02 to 0.98 (beta at least 3)
    E[zeta] = q. It has no density: zeta is 0 and 1 with positive probabilities. Andriyash et al.
    (2018), used by Vahdat et al. (2020), section 4.1. As in the code of the latter the slope has a
    gradient, too: so it is that of E[h(zeta)] for any h.
    """

    beta: float = 4.0

    def __call__(self, logits, u):
        return tf.clip_by_value(0.5 + self._slope(logits) * (u - tf.sigmoid(-logits)), 0.0, 1.0)

    def cdf(self, zeta, logits):
        u = tf.sigmoid(-logits) + (zeta - 0.5) / self._slope(logits)
        return tf.where(zeta < 0, 0.0, tf.where(zeta < 1, tf.clip_by_value(u, 0.0, 1.0), 1.0))

    def _slope(self, logits):
        return 0.25 * self.beta / (tf.sigmoid(logits) * tf.sigmoid(-logits) + 0.01)


@dataclasses.dataclass(frozen=True)
class Concrete(Relaxation):
    """The binary Concrete or Gumbel-softmax, zeta = sigmoid(beta (l + log u / (1 - u))).

    Maddison et al. (2017), used by GumBolt (Khoshaman and Amin 2018). Much of its mass is nearer
    to 0 or 1 than floats tell apart, where only the logit of zeta has a useful density.
    """

    beta: float = 10.0
    has_density = True

    def __call__(self, logits, u):
        return tf.sigmoid(self.logit(logits, u))

    def scored(self, zeta, logits, u):
        return self.logit(logits, u)

    def scored_log_prob(self, at, logits):
        return self.logit_log_prob(at, logits)

    def logit(self, logits: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        """y = log zeta / (1 - zeta) of the draw zeta."""
        return self.beta * (logits + _logit(_inside(u)))

    def cdf(self, zeta, logits):
        return tf.sigmoid(_logit(zeta) / self.beta - logits)

    def logit_log_prob(self, y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Log density, in nats, of the logit y of zeta."""
        x = y / self.beta - logits  # logistic
        return -tf.math.softplus(x) - tf.math.softplus(-x) - math.log(self.beta)

    def log_prob(self, zeta: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Log density of zeta, which is clipped to where floats tell it from 0 and 1."""
        zeta = _inside(zeta)
        return self.logit_log_prob(_logit(zeta), logits) - tf.math.log(zeta * (1 - zeta))


class _Overlapping(Relaxation):
    """A mixture q r(zeta given 1) + (1 - q) r(zeta given 0), r(zeta given 1) = r(1 - zeta given 0).

    A subclass defines `log_prob_given_0`, `_cdf_given_0` and `_draw`, whose gradient is not used.
    """

    overlapping = has_density = True

    def mean_bit(self, zeta, logits):
        return tf.sigmoid(self._posterior_logits(zeta, logits))

    def scored_log_prob(self, at, logits):
        return self.log_prob(at, logits)

    def __call__(self, logits, u):
        # Where F(zeta) stays u, d zeta / d q = (F0 - F1) / (q r1 + (1 - q) r0); here times
        # d q / d l = q (1 - q), in logarithms.
        zeta = tf.stop_gradient(self._draw(logits, u))
        log_slope = tf.math.log_sigmoid(logits) + tf.math.log_sigmoid(-logits)
        log_slope -= self.log_prob(zeta, logits)
        cdf_0, cdf_1 = self._cdfs(zeta)
        slope = tf.stop_gradient((cdf_0 - cdf_1) * tf.exp(log_slope))
        return zeta + slope * (logits - tf.stop_gradient(logits))

    def cdf(self, zeta, logits):
        cdf_0, cdf_1 = self._cdfs(zeta)
        return tf.sigmoid(-logits) * cdf_0 + tf.sigmoid(logits) * cdf_1

    def _cdfs(self, zeta):
        return self._cdf_given_0(zeta), 1 - self._cdf_given_0(1 - zeta)

    def log_prob(self, zeta: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Log density of zeta."""
        log_odds = self._posterior_logits(zeta, logits)
        prior = tf.math.log_sigmoid(-logits)
        return prior + self.log_prob_given_0(zeta) + tf.math.softplus(log_odds)

    def _posterior_logits(self, zeta, logits):
        """Log odds of a 1 given zeta."""
        return logits + self.log_ratio(zeta)

    def log_prob_given_0(self, zeta: tf.Tensor) -> tf.Tensor:
        """log r(zeta given z = 0)."""
        raise NotImplementedError

    def log_ratio(self, zeta: tf.Tensor) -> tf.Tensor:
        """log r(zeta given z = 1) - log r(zeta given z = 0): zeta adds it to the logit of z."""
        return self.log_prob_given_0(1 - zeta) - self.log_prob_given_0(zeta)


@dataclasses.dataclass(frozen=True)
class Power(_Overlapping):
    """The mixture of r(zeta given 0) = zeta^(1/beta - 1) / beta on [0, 1], as DVAE# has it.

    Vahdat et al. (2018a). One uniform number draws both z and zeta given z, from what it leaves
    over. Much of the mass is nearer to 0 or 1 than floats tell apart: densities are those of zeta
    clipped to where they do.
    """

    beta: float = 30.0

    def log_prob_given_0(self, zeta):
        return (1 / self.beta - 1) * tf.math.log(_inside(zeta)) - math.log(self.beta)

    def _cdf_given_0(self, zeta):
        return zeta ** (1 / self.beta)

    def _draw(self, logits, u):
        q, not_q = tf.sigmoid(logits), tf.sigmoid(-logits)
        zero = u < not_q
        # Uniform given z. Where z cannot be 1, (u - 1) / 0 is not taken.
        rest = tf.where(zero, u / not_q, 1 - (u - not_q) / q)
        power = tf.clip_by_value(rest, 0.0, 1.0) ** self.beta
        return tf.where(zero, power, 1 - power)


@dataclasses.dataclass(frozen=True)
class Exponential(_Overlapping):
    """The mixture of r(zeta given 0) = beta e^(-beta zeta) / (1 - e^(-beta)) on [0, 1].

    It is that of DVAE++, drawn by the inverse of the mixture's cdf (Vahdat et al. 2018b).
    """

    beta: float = 10.0

    def log_prob_given_0(self, zeta):
        return -self.beta * zeta + math.log(-self.beta / math.expm1(-self.beta))

    def _cdf_given_0(self, zeta):
        return tf.math.expm1(-self.beta * zeta) / math.expm1(-self.beta)

    def _draw(self, logits, u):
        # F(zeta) = u is quadratic in e^(-beta zeta). With s = beta (zeta - 1/2), d = e^(-beta) it
        # reads sqrt(d) sinh(s + l/2) = cosh(l/2) (u - (1 - q) + d (q - u)).
        logits = tf.clip_by_value(logits, -60.0, 60.0)  # where cosh is finite, q as good as 0 or 1
        tail = math.exp(-self.beta)
        right = u - tf.sigmoid(-logits) + tail * (tf.sigmoid(logits) - u)
        s = tf.asinh(tf.cosh(logits / 2) * right / tail**0.5) - logits / 2
        return tf.clip_by_value(0.5 + s / self.beta, 0.0, 1.0)


RELAXATIONS = {
    "concrete": Concrete,
    "exponential": Exponential,
    "piecewise_linear": PiecewiseLinear,
    "power": Power,
}


def _inside(zeta):
    """Numbers in [0, 1], clipped to where floats tell them from 0 and 1."""
    spacing = np.finfo(zeta.dtype.as_numpy_dtype).eps
    return tf.clip_by_value(zeta, spacing, 1 - spacing)


def _logit(u):
    return tf.math.log(u) - tf.math.log1p(-u)
