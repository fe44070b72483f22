"""The means of what training and test steps report, and how many examples they are over."""

import contextlib
from collections.abc import Iterable

import keras
import tensorflow as tf

from zoo.core.replicas import sum_over_replicas

_MOST = 64  # names


def in_order(names: Iterable[str]) -> list[str]:
    """The names of what is reported as Keras orders them, the loss first."""
    return sorted(names, key=lambda name: (name != "loss", name))


class Means(keras.metrics.Metric):
    """A mean for every name that steps report, over examples.

    Names need not be known beforehand: each takes a place in one table when it is first reported,
    so that no variable is made while a step is traced, for which TensorFlow would trace it again.
    """

    def __init__(self, name: str = "means"):
        super().__init__(name=name)
        self._names = []
        self._sums, self._counts = (
            self.add_variable([_MOST], "zeros", name=table) for table in ("sums", "counts")
        )

    def update_state(self, reported: dict[str, tf.Tensor], num_examples: tf.Tensor) -> None:
        """Adds what a step reports.

        Args:
          reported: by name, a number that is a mean over the examples, or one for each of them.
          num_examples: how many there are.
        """
        count = tf.cast(num_examples, self.dtype)
        sums = []
        for value in reported.values():
            value = tf.cast(value, self.dtype)
            # Of no examples a mean may be anything.
            whole = (
                tf.reduce_sum(value) if value.shape.rank else tf.math.multiply_no_nan(value, count)
            )
            sums.append(whole)
        places = [[self._place(name)] for name in reported]
        counts = tf.fill([len(places)], count)
        for table, added in ((self._sums, tf.stack(sums)), (self._counts, counts)):
            table.assign(table + tf.scatter_nd(places, added, [_MOST]))

    def result(self) -> dict[str, tf.Tensor]:
        """The means since the last reset, by name; 0 of a name that was not reported since."""
        return self._means(self._sums, self._counts)

    def result_of_all(self) -> dict[str, tf.Tensor]:
        """The same over the examples of all replicas, asked on each of them."""
        tables = [tf.convert_to_tensor(table) for table in (self._sums, self._counts)]
        return self._means(*sum_over_replicas(tables, tf.distribute.get_strategy()))

    def get_state(self) -> dict[str, list]:
        """What the means are made of so far, for `set_state`."""
        tables = {name: table.numpy() for name, table in self._tables().items()}
        return {"names": list(self._names)} | tables

    def set_state(self, state: dict[str, list]) -> None:
        """Goes on from what `get_state` returned."""
        places = [self._place(name) for name in state["names"]]
        for name, table in self._tables().items():
            values = table.numpy()
            values[places] = state[name][: len(places)]
            table.assign(values)

    @contextlib.contextmanager
    def kept(self):
        """A context after which the means are what they were before it."""
        before = self.get_state()
        try:
            yield
        finally:
            self.reset_state()
            self.set_state(before)

    def names_reported(self) -> list[str]:
        """The names that were reported since the last reset, `in_order`."""
        counts = self._counts.numpy()
        return in_order(name for place, name in enumerate(self._names) if counts[place])

    def _tables(self):
        return {"sums": self._sums, "counts": self._counts}

    def count_of(self, name: str) -> tf.Tensor:
        """How many examples the mean of a name is over, on this replica."""
        return tf.convert_to_tensor(self._counts)[self._place(name)]

    @property
    def num_examples(self) -> tf.Tensor:
        """How many examples the steps since the last reset had, of those with the most."""
        return tf.reduce_max(tf.convert_to_tensor(self._counts))

    def _means(self, sums, counts):
        means = tf.math.divide_no_nan(*map(tf.convert_to_tensor, (sums, counts)))
        return {name: means[place] for place, name in enumerate(self._names)}

    def _place(self, name):
        if name not in self._names:
            if len(self._names) == _MOST:
                raise ValueError(f"A step must report at most {_MOST} names; {name!r} is another.")
            self._names.append(name)
        return self._names.index(name)
