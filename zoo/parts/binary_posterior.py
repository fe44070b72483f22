"""The base of posteriors q(z given x) over binary latents."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from samplers.relaxations import Relaxation
from zoo.core.abilities import ability
from zoo.core.checks import UsageError
from zoo.core.fields import Field
from zoo.parts.part import Part
from zoo.parts.relaxations import relaxation_config


class RelaxedDraw(NamedTuple):
    """Relaxed latents through which the gradient of a bound passes.

    Attributes:
      zeta: z1 and then z2 in one vector, [S, B, n].
      mean1: what the prior's log density is taken at on side 1, [S, B, n1]: probabilities where
        the expectation over that side has a closed form, else part of zeta.
      mean2: the same of side 2.
      log_q: log q, nats, [S, B]; where its expectation has a closed form that; where q is not
        normalised without log Z, whose gradient cancels.
    """

    zeta: tf.Tensor
    mean1: tf.Tensor
    mean2: tf.Tensor
    log_q: tf.Tensor


class BinaryPosterior(Part):
    """The base of posteriors that make a law over bits z = (z1, z2), [B, n1 + n2], of features.

    What `call` makes of features [B, F], the parameters of the law, is what the methods take. A
    posterior whose chains go on between training steps keeps them itself: the model asks it for
    `sample_latents`, `state_statistics` and `next_state`, and for the `batch_fields` that these
    need.

    Args:
      latent_dims: n1 and n2.
      seed: of the initial weights.
    """

    normalised = True  # whether log q of a relaxed draw has its log Z

    def __init__(self, latent_dims: Sequence[int], *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.latent_dims, self.seed = tuple(latent_dims), seed

    def _dense(self, inputs, units, index):
        head = keras.layers.Dense(
            units, kernel_initializer=keras.initializers.GlorotUniform(self.seed + index)
        )
        head.build((None, inputs))
        return head

    @ability
    def rbms(self, parameters) -> samplers.RBM:
        """The posteriors of a batch as RBMs, up to their log Z, where they are such."""
        raise NotImplementedError

    def get_config(self):
        config = {"latent_dims": self.latent_dims, "seed": self.seed}
        return super().get_config() | config

    def get_build_config(self):
        """Nothing: a model builds the part, once its state is made."""

    # The state of training, of which a directed posterior has none.

    @property
    def batch_fields(self) -> dict[str, Field]:
        """Fields of a batch that training needs beside x, by name."""
        return {}

    def make_state(self, num_samples: int, seed: int) -> None:
        """Makes what training keeps, for `num_samples` draws of every image."""

    def check_relaxation(self, relaxation: Relaxation) -> None:
        """Refuses a relaxation that the posterior cannot be trained with."""

    def sample_latents(self, parameters, batch: dict, seed: Seed):
        """Where relaxed draws start, off the tape; None if they start anywhere."""
        return None

    def state_statistics(self, batch: dict, latents) -> dict[str, tf.Tensor]:
        """What a batch says on the state, leading axis the batch."""
        return {}

    def next_state(self, statistics: dict[str, tf.Tensor]) -> list[tuple]:
        """(variable, new value) pairs."""
        return []


def check_separate(relaxation: Relaxation, why: str) -> None:
    """Refuses relaxations in which draws of either bit overlap.

    Raises:
      UsageError: which says `why`.
    """
    if relaxation.overlapping:
        raise UsageError(
            f"relaxation must be 'piecewise_linear' or 'concrete' {why}; "
            f"it was {relaxation_config(relaxation)['name']!r}."
        )
