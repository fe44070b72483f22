"""The base of priors p(z) over binary latents."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from samplers.relaxations import Relaxation
from zoo.core.checks import UsageError, check_counts
from zoo.parts.part import Part

tfd = tfp.distributions


class LogNormalizer(NamedTuple):
    """An estimate of log Z.

    Attributes:
      mean: log of the mean weight of annealed chains, nats, or log Z where it is exact.
      stddev: its standard error over chains, nats; 0 where log Z is exact.
    """

    mean: float
    stddev: float


class BinaryPrior(Part):
    """The base of priors over bits z = (z1, z2) that are RBMs, or such without couplings.

    A prior defines `rbm`, its law, and what training and scores take as its log Z.

    Args:
      latent_dims: n1 and n2, units of both sides.

    Attributes:
      log_normalizer: log Z as training knows it, nats, a variable or a tensor.
    """

    log_normalizer: tf.Variable | tf.Tensor

    def __init__(self, latent_dims: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        check_latent_dims(latent_dims)
        self.latent_dims = tuple(latent_dims)

    @property
    def rbm(self) -> samplers.RBM:
        """The RBM of these parameters, differentiable in them."""
        raise NotImplementedError

    def distribution(self, latent_dim: int) -> tfd.Distribution:
        """Makes p(z).

        Args:
          latent_dim: n1 + n2.

        Returns:
          The distribution over vectors [n1 + n2], z1 and then z2.

        Raises:
          UsageError: for another number of latents.
        """
        if latent_dim != sum(self.latent_dims):
            raise UsageError(
                f"prior must be over as many latents as the posterior, {latent_dim}; "
                f"it is over {' + '.join(map(str, self.latent_dims))}."
            )
        return self._law()

    def _law(self):
        raise NotImplementedError

    def log_normalizer_surrogate(self) -> tf.Tensor:
        """Returns log Z as training knows it, nats, with the gradient in the parameters."""
        return self.log_normalizer

    def estimate_log_normalizer(self, seed: Seed, *, jit_compile: bool = True) -> LogNormalizer:
        """Returns log Z as scores need it.

        Args:
          seed: int or int32[2].
          jit_compile: whether XLA compiles a program that estimates it.
        """
        raise NotImplementedError

    def check_relaxation(self, relaxation: Relaxation) -> None:
        """Refuses a relaxation of which the prior has no density; here none.

        Args:
          relaxation: that has a density given bits.

        Raises:
          UsageError: which tells the others.
        """

    def relaxed_log_prob(self, at: tf.Tensor, relaxation: Relaxation) -> tf.Tensor:
        """Scores relaxed bits, of which this is the prior as well.

        Args:
          at: what `relaxation.scored` makes of them, [S, B, n1 + n2].
          relaxation: of the bits.

        Returns:
          Their log density in nats, or a bound from below on it, [S, B].
        """
        raise NotImplementedError

    def next_state(self, seed: Seed) -> list[tuple]:
        """Tells what the state becomes that follows the parameters; here there is none.

        Args:
          seed: int or int32[2].

        Returns:
          (variable, new value) pairs.
        """
        return []

    def prepared_state(self, log_normalizer: float) -> list[tuple]:
        """Tells what training takes from an estimate; here nothing.

        Args:
          log_normalizer: log Z, nats.

        Returns:
          (variable, new value) pairs.
        """
        return []

    def get_config(self):
        return super().get_config() | {"latent_dims": self.latent_dims}


def check_latent_dims(latent_dims: Sequence[int]) -> None:
    """Refuses what are not the units of two sides.

    Args:
      latent_dims: of the argument of that name.

    Raises:
      UsageError: for anything but two positive whole numbers.
    """
    check_counts(latent_dims=latent_dims)
    if len(latent_dims) != 2:
        raise UsageError(
            f"latent_dims must be two numbers, the units of both sides; it was {latent_dims!r}."
        )
