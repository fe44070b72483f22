"""What scores need beforehand: estimates that follow from weights, and are kept with them."""

import keras
import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed


class PreparesForScores:
    """What every model has for scores that need an estimate beforehand, such as log Z of a prior.

    All scores ask for it, and so do `fit`, `evaluate` and exports, whatever the weights came from.
    """

    def prepare_for_scores(self, seed: Seed) -> dict[str, float]:
        """Estimates what scores need beforehand, unless it is known; returns it, to be reported.

        What it finds is no state of the model: a `CachedEstimate` keeps it with the weights that it
        belongs to.

        Args:
          seed: int or int32[2].

        Returns:
          Numbers by name; nothing of most models.
        """
        return {}

    def prepared_state(self, prepared: dict[str, float]) -> list[tuple]:
        """(variable, new value) pairs that training takes from what was prepared: within a fit,
        before each validation and in the end.
        """
        return []

    @property
    def score_seed(self) -> tf.Tensor:
        """The seed of the preparation where a score has none of its own."""
        return samplers.fold_in(self.seed, "log normalizer")


class CachedEstimate:
    """An estimate that is worth something only at the values that some variables had then.

    It is no part of a model's state: no file holds it, so that none holds one that is stale. Where
    the variables have changed since, by training or from a file, it is made anew when it is asked
    for; within compiled programs, which cannot make it, another value stands for it.

    Args:
      variables: that it follows from.
    """

    def __init__(self, variables: list[keras.Variable]):
        self._variables = list(variables)
        with tf.init_scope():
            self._made_at = [
                tf.Variable(np.full(v.shape, np.nan), trainable=False, dtype=v.dtype)
                for v in variables
            ]
            self._value = tf.Variable(np.nan, trainable=False, dtype=variables[0].dtype)
        self._key, self._told = None, None

    def store(self, value: float, key: tuple, told) -> None:
        """Keeps an estimate that was just made.

        Args:
          value: what programs read.
          key: of what else it follows from, such as a seed.
          told: what `find` returns.
        """
        for copy, variable in zip(self._made_at, self._variables, strict=True):
            copy.assign(variable)
        self._value.assign(tf.cast(value, self._value.dtype))
        self._key, self._told = key, told

    def find(self, key: tuple):
        """Returns what was told with the estimate; None if it is of other values or another key."""
        return self._told if key == self._key and bool(self._is_current()) else None

    def or_else(self, other: tf.Tensor) -> tf.Tensor:
        """Returns the estimate, or another value where the variables have changed since."""
        return tf.where(self._is_current(), tf.cast(self._value, other.dtype), other)

    def _is_current(self):
        equal = [
            tf.reduce_all(tf.equal(copy, tf.convert_to_tensor(variable)))
            for copy, variable in zip(self._made_at, self._variables, strict=True)
        ]
        return tf.reduce_all(equal)
