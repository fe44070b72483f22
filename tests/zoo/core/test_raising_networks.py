"""What a user's network raises is told, and not where alone."""

import keras
import pytest
import tensorflow as tf

import zoo
from zoo.core.networks import as_network

L = keras.layers


class Raising(keras.Model):
    def __init__(self, error):
        super().__init__()
        self.inner, self.error = L.Dense(3), error

    def call(self, x):
        if self.error is None:
            return self.inner(x) + tf.ones([1, 7])
        raise self.error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Raising(RuntimeError("my bug")), "my bug$"),
        (Raising(KeyError("key")), "'key'$"),
        (Raising(ValueError("one\ntwo")), "one$"),
        (Raising(None), "Dimensions must be equal, but are 3 and 7"),
        (keras.Sequential([L.Dense(2), L.Reshape((7, 7))]), "The total size of the tensor must"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_network_raises_is_told(network, reason):
    with pytest.raises(zoo.UsageError, match=rf"encoder must take \[N, 4\]; .* not: {reason}"):
        as_network("encoder", network, (4,))
