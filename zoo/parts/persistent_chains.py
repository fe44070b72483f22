"""Chains that go on: a state for every example, which is kept from visit to visit."""

import tensorflow as tf

from zoo.core.checks import UsageError, check_count
from zoo.core.fields import IndexField
from zoo.core.preset_files import OF_EXAMPLES
from zoo.parts.part import Part


class PersistentChains(Part):
    """The last states of the chains of all training examples, by the example's number, `index`.

    Args:
      start: where the chains start, [num_examples, ...].
    """

    def __init__(self, start: tf.Tensor, **kwargs):
        super().__init__(**kwargs)
        check_count(num_examples=start.shape[0])
        self.states = self.add_weight(
            name="states", shape=start.shape, initializer="zeros", trainable=False
        )
        self.states.assign(start)
        self.built = True

    def save_own_variables(self, store):
        """Writes the states by a name that tells what they are of, as presets leave them out."""
        store[OF_EXAMPLES] = self.states

    def load_own_variables(self, store):
        """Reads what `save_own_variables` wrote, or Keras before it, which numbered variables."""
        (name,) = store.keys()
        self.states.assign(store[name])

    @property
    def field(self) -> IndexField:
        """The numbers of examples."""
        return IndexField(num_examples=self.states.shape[0])

    def at(self, index: tf.Tensor) -> tf.Tensor:
        """Looks up chains.

        Args:
          index: numbers of examples, [B].

        Returns:
          The states of their chains, [B, ...].
        """
        return tf.gather(tf.convert_to_tensor(self.states), index)

    def next_state(self, index: tf.Tensor, rows: tf.Tensor) -> list[tuple]:
        """Tells what the states become when some chains have moved.

        Args:
          index: numbers of examples, [B].
          rows: the new states of their chains, [B, ...].

        Returns:
          (variable, new value) pairs.
        """
        old = tf.convert_to_tensor(self.states)
        return [(self.states, tf.tensor_scatter_nd_update(old, index[:, None], rows))]


def num_examples_of(data, num_examples: int | None) -> int:
    """Tells for how many examples a model keeps chains.

    Args:
      data: what `zoo.data.as_data` returns.
      num_examples: what a user gave, or None.

    Returns:
      That, or the number of training examples.

    Raises:
      UsageError: if neither is known.
    """
    known = data.num_examples.get("train") if num_examples is None else num_examples
    if known is None:
        raise UsageError(
            "num_examples must be given, for how many training examples chains are kept: "
            "these data do not tell."
        )
    return known
