"""The base of emissions p(x_t given what came before): laws of one step of a sequence."""

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import ability
from zoo.core.sequences import SequenceField
from zoo.parts.part import Part


class Emission(Part):
    """The base of laws of a step x_t [D], given the outputs of a network.

    What it is given and what it gives is in the units of the data; densities are over these.

    Attributes:
      standardises: whether it takes the `mean` and the `scale` of the data.
    """

    standardises = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True  # or Keras would build the whole model by a call of its own

    def field(self, shape: tuple[int, int]) -> SequenceField:
        """Tells the field of sequences [T, D] of such steps."""
        raise NotImplementedError

    def start_outputs(self, num_dims: int) -> np.ndarray:
        """Tells the outputs at which a new network starts, whose number it is, too, [F]."""
        raise NotImplementedError

    def preprocess(self, x: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Makes what the model explains of sequences; here it is the sequences themselves.

        Args:
          x: [B, T, D].
          seed: int or int32[2].

        Returns:
          Such a tensor; what it holds of a step does not depend on T.
        """
        return x

    def standardised(self, x: tf.Tensor) -> tf.Tensor:
        """Returns x_t [..., D] as networks see it."""
        return x

    def log_prob(self, outputs: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Scores steps.

        Args:
          outputs: [..., F].
          x: [..., D].

        Returns:
          log p(x_t) in nats, [...].
        """
        raise NotImplementedError

    def draw(self, outputs: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Draws steps, [..., D], given outputs [..., F]."""
        raise NotImplementedError

    def expected(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean of steps, [..., D], given outputs [..., F]."""
        raise NotImplementedError

    @ability
    def share_at_floor(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the share of scales that are below twice their floor, [...]."""
        raise NotImplementedError


def uniform_by_step(x: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Draws uniform numbers in [0, 1), those of a step whatever T and the other examples are.

    Args:
      x: a tensor [B, T, D].
      seed: int or int32[2].

    Returns:
      Numbers of its shape and type.
    """
    shape = tf.stack([tf.shape(x)[0], x.shape[2]])
    drawn = tf.map_fn(
        lambda t: samplers.uniform(shape, samplers.fold_in(seed, t), x.dtype),
        tf.range(x.shape[1]),
        fn_output_signature=tf.TensorSpec([x.shape[0], x.shape[2]], x.dtype),
    )
    return tf.transpose(drawn, [1, 0, 2])
