"""Tiny models, trained a little on real data, and what they consist of."""

import functools

import keras
import numpy as np
import tensorflow as tf

from zoo.core import registry

BATCH = 50


def build(method, data, *, optimizer="adam", jit_compile=False, **kwargs):
    """The tiny form of a registered class, compiled."""
    model = method.for_data(data, **registry.methods()[method.__name__].tiny | kwargs)
    optimizer = keras.optimizers.get(optimizer)
    optimizer.learning_rate = 3e-3
    model.compile(optimizer, jit_compile=jit_compile)
    return model


@functools.cache
def two_replicas():
    """One strategy for the process: the collective operations of two get in each other's way."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def train_examples(data, num_batches=3):
    """The first batches of the training set as one dict, labels and lengths among them."""
    batches = list(data.train.take(num_batches).as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def fit(model, data, epochs=1, **kwargs):
    return model.fit(train_examples(data), batch_size=BATCH, epochs=epochs, verbose=0, **kwargs)


def variables(model):
    """Of the model and its optimizer."""
    return [*model.variables, *model.optimizer.variables]


def weights(model):
    return [v.numpy() for v in variables(model)]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
