"""The means of what training and test steps report."""

import keras
import tensorflow as tf

_MOST = 64  # names


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

    def update_state(self, reported: dict[str, tf.Tensor]) -> None:
        """Adds numbers, or one for each example of a batch, by name."""
        sums = [tf.reduce_sum(tf.cast(v, self.dtype)) for v in reported.values()]
        counts = [tf.cast(tf.size(value), self.dtype) for value in reported.values()]
        places = [[self._place(name)] for name in reported]
        for table, added in ((self._sums, sums), (self._counts, counts)):
            table.assign(table + tf.scatter_nd(places, tf.stack(added), [_MOST]))

    def result(self) -> dict[str, tf.Tensor]:
        """The means since the last reset, by name; 0 of a name that was not reported since."""
        means = tf.math.divide_no_nan(*map(tf.convert_to_tensor, (self._sums, self._counts)))
        return {name: means[place] for place, name in enumerate(self._names)}

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

    def _tables(self):
        return {"sums": self._sums, "counts": self._counts}

    def count_of(self, name: str) -> tf.Tensor:
        """How many numbers the mean of a name is over."""
        return tf.convert_to_tensor(self._counts)[self._place(name)]

    def _place(self, name):
        if name not in self._names:
            if len(self._names) == _MOST:
                raise ValueError(f"A step must report at most {_MOST} names; {name!r} is another.")
            self._names.append(name)
        return self._names.index(name)
