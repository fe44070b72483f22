"""The smallest model that can be fitted, where the model does not matter; it runs op by op."""

import keras
import numpy as np
import tensorflow as tf

import zoo
from zoo.core.fields import IndexField, PixelField
from zoo.core.labels import LabelField

X = np.linspace(0, 1, 24).astype(np.float32).reshape(12, 2)
Y = np.arange(12) % 3


class Stub(zoo.TrainableModel):
    """Learns the mean of x, and tells of which examples; `fields` are those it takes beside x.

    With `index` it is one of those that keep something for each example.
    """

    def __init__(self, *fields):
        known = {"y": LabelField(num_classes=3), "index": IndexField(num_examples=12)}
        super().__init__(fields={"x": PixelField((2,))} | {name: known[name] for name in fields})
        self.mean = self.add_weight(name="mean", shape=(2,), initializer="zeros")
        self.built = True

    @property
    def parameter_groups(self):
        return {"mean": [self.mean]}

    def objectives(self, batch, context, latents, seed):
        told = self.told(batch)
        return {"mean": -tf.reduce_mean(told["bound"])}, told

    def told(self, batch):
        """The bound, and the first number of each example."""
        error = tf.reduce_sum(tf.square(batch["x"] - self.mean), -1)
        return {"bound": -error, "first": batch["x"][:, 0]}

    def test_step(self, data):
        share = self.share(data, self.inference_fields)
        return self.track(share.counted(self.told(share.batch)), share.num_examples)

    def predict_step(self, data):
        return self.share(data, self.inference_fields).batch["x"]


def stub(*fields, optimizer="sgd", **kwargs):
    """A compiled one."""
    model = Stub(*fields)
    model.compile(optimizer, **{"run_eagerly": True} | kwargs)
    return model


class Batches(keras.utils.PyDataset):
    """Batches of four, of arrays by name, whose order of calls is noted."""

    def __init__(self, arrays, **kwargs):
        super().__init__(**kwargs)
        self.arrays, self.asked = arrays, []

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.asked.append(index)
        return {name: values[4 * index : 4 * index + 4] for name, values in self.arrays.items()}


class Endless(Batches):
    """The same over and over."""

    __len__ = None
    num_batches = None

    def __getitem__(self, index):
        return super().__getitem__(index % 3)
