"""The base of posteriors q(z given x) over binary latents."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from samplers.relaxations import Relaxation
from zoo.core.abilities import ability
from zoo.core.checks import UsageError, check_seed
from zoo.core.fields import Field
from zoo.core.latent import Proposal
from zoo.parts.part import Part
from zoo.parts.relaxations import relaxation_config


class RelaxedDraw(NamedTuple):
    """Relaxed latents through which the gradient of a bound passes.

    Attributes:
      zeta: z1 and then z2 in one vector, [S, B, n].
      at: what the log density of the prior is taken at, [S, B, n]: by form probabilities of bits,
        or relaxed ones, or what the relaxation's `scored` makes of these.
      log_q: log q, nats, [S, B]; where q is not normalised without log Z, whose gradient cancels.
      mean: probabilities of bits, [S, B, n], where the biases of the prior meet these and not `at`.
    """

    zeta: tf.Tensor
    at: tf.Tensor
    log_q: tf.Tensor
    mean: tf.Tensor | None = None


class BinaryPosterior(Part):
    """The base of posteriors that make a law over bits z = (z1, z2), [B, n1 + n2], of features.

    What `call` makes of features [B, F], the parameters of the law, is what the methods take. A
    posterior defines `relaxed`, by which it is trained, `propose`, by which it is scored, and
    `move` and `log_density`, by which images are completed. One whose chains go on between training
    steps keeps them itself: the model asks it for `sample_latents`, `state_statistics` and
    `next_state`, and for the `batch_fields` that these need.

    Args:
      latent_dims: n1 and n2.
      seed: of the initial weights.
    """

    normalised = True  # whether log q of a relaxed draw has its log Z

    def __init__(self, latent_dims: Sequence[int], *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        check_seed(seed=seed)
        self.latent_dims, self.seed = tuple(latent_dims), seed

    def _dense(self, inputs, units, index):
        head = keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(self.seed + index),
            dtype=self.dtype,
        )
        head.build((None, inputs))
        return head

    def relaxed(
        self,
        parameters,
        start: tf.Tensor | None,
        num_samples: int,
        relax: Relaxation,
        seed: Seed,
        form: str,
    ) -> RelaxedDraw:
        """Draws relaxed bits, which the gradient of the parameters passes through.

        A divergence KL(q || p) is estimated by log q - log p in one of three forms:

        - "expectation": of bits, and in closed form as far as that goes.
        - "mass": of bits, relaxed ones in their place, as weights need it.
        - "density": of relaxed bits, by a relaxation that has a density.

        Args:
          parameters: of the law, as `call` makes them.
          start: what `sample_latents` returned.
          num_samples: S.
          relax: of the bits.
          seed: int or int32[2].
          form: "expectation", "mass" or "density".

        Returns:
          The draws, with what a bound needs of them. Of log q only the gradient in zeta is kept,
          also where zeta of one group makes the law of the next: that in its parameters has the
          expectation 0, or of weighted samples is what a doubly reparameterised gradient replaces.
        """
        raise NotImplementedError

    def propose(self, parameters, num_samples: int, seed: Seed) -> Proposal:
        """Draws bits with what makes them importance samples.

        Args:
          parameters: of the law, as `call` makes them.
          num_samples: S.
          seed: int or int32[2].

        Returns:
          Bits [S, B, n], and log q [S, B], less the log of a weight of their own if they have one.
        """
        raise NotImplementedError

    def move(self, parameters, z: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes a transition that is reversible with respect to q.

        Args:
          parameters: of the law, as `call` makes them.
          z: bits, [S, B, n].
          seed: int or int32[2].

        Returns:
          The new z, and log q of the old less that of the new, [S, B].
        """
        raise NotImplementedError

    def log_density(self, parameters, z: tf.Tensor) -> tf.Tensor:
        """Scores any bits.

        Args:
          parameters: of the law, as `call` makes them.
          z: bits, [S, B, n].

        Returns:
          log q of them in nats, [S, B], up to log Z where q is not `normalised`.
        """
        raise NotImplementedError

    @ability
    def rbms(self, parameters) -> samplers.RBM:
        """Tells the posteriors as RBMs, where they are such.

        Args:
          parameters: of the laws of a batch, as `call` makes them.

        Returns:
          An RBM for each image, up to its log Z.
        """
        raise NotImplementedError

    def get_config(self):
        config = {"latent_dims": self.latent_dims, "seed": self.seed}
        return super().get_config() | config

    # The state of training, of which a directed posterior has none.

    @property
    def batch_fields(self) -> dict[str, Field]:
        """Fields of a batch that training needs beside x, by name."""
        return {}

    def make_state(self, num_samples: int, seed: int) -> None:
        """Makes what training keeps; here nothing.

        Args:
          num_samples: relaxed draws of every image.
          seed: int.

        Raises:
          UsageError: where the posterior does not know for how many images.
        """

    def check_relaxation(self, relaxation: Relaxation) -> None:
        """Refuses a relaxation that the posterior cannot be trained with; here none.

        Args:
          relaxation: of the model.

        Raises:
          UsageError: naming those that it can be trained with.
        """

    def sample_latents(self, parameters, batch: dict, seed: Seed):
        """Draws where relaxed draws start, off the tape; here they start anywhere.

        Args:
          parameters: of the law, as `call` makes them.
          batch: with the `batch_fields`.
          seed: int or int32[2].

        Returns:
          What `relaxed` takes as its start.
        """
        return None

    def state_statistics(self, batch: dict, latents) -> dict[str, tf.Tensor]:
        """Tells what a batch says on the state; here nothing.

        Args:
          batch: with the `batch_fields`.
          latents: what `sample_latents` returned.

        Returns:
          Tensors by name, whose leading axis is the batch.
        """
        return {}

    def next_state(self, statistics: dict[str, tf.Tensor]) -> list[tuple]:
        """Tells what the state becomes; here there is none.

        Args:
          statistics: `state_statistics` of all replicas together.

        Returns:
          (variable, new value) pairs.
        """
        return []


def check_separate(relaxation: Relaxation, why: str) -> None:
    """Refuses relaxations in which draws of either bit overlap.

    Args:
      relaxation: of a model.
      why: it must be another, a clause.

    Raises:
      UsageError: which says `why`.
    """
    if relaxation.overlapping:
        raise UsageError(
            f"relaxation must be 'piecewise_linear' or 'concrete' {why}; "
            f"it was {relaxation_config(relaxation)['name']!r}."
        )
