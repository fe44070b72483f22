"""A state for every example, which is kept from visit to visit: chains that go on, free latents."""

import tensorflow as tf

from zoo.core.checks import UsageError, check_count
from zoo.core.fields import IndexField
from zoo.core.preset_files import OF_EXAMPLES
from zoo.parts.part import Part


class PersistentChains(Part):
    """The states of all training examples, by the example's number, `index`.

    They are the last states of chains that go on, or latents that descend an objective.

    Args:
      start: where they start, [num_examples, ...].
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
        """Looks up states.

        Args:
          index: numbers of examples, [B].

        Returns:
          Their states, [B, ...].
        """
        return tf.gather(tf.convert_to_tensor(self.states), index)

    def next_state(self, index: tf.Tensor, rows: tf.Tensor) -> list[tuple]:
        """Tells what the states become when some have moved.

        Args:
          index: numbers of examples, [B].
          rows: their new states, [B, ...].

        Returns:
          (variable, new value) pairs.
        """
        old = tf.convert_to_tensor(self.states)
        return [(self.states, tf.tensor_scatter_nd_update(old, index[:, None], rows))]


def num_examples_of(data, num_examples: int | None) -> int:
    """Tells for how many examples a model keeps a state.

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
            "num_examples must be given, for how many training examples latents are kept: "
            "these data do not tell."
        )
    return known
