"""Several steps in one program of XLA are those of as many calls."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf
from training import assert_equal, weights

import zoo
from zoo.core import executions
from zoo.core.executions import Programs, programs_of
from zoo.core.pipeline import epoch_variable
from zoo.core.pipeline import pipeline as batches_of
from zoo.testing.specimen import Specimen

X = np.random.default_rng(0).uniform(size=(60, 4)).astype(np.float32)


def made(num_steps, jit_compile=True, **kwargs):
    model = zoo.VAE.for_data(X, latent_dim=2, hidden=(3,))
    model.compile("adam", jit_compile=jit_compile, steps_per_execution=num_steps, **kwargs)
    return model


def fitted(num_steps):
    model = made(num_steps)
    history = model.fit(X, batch_size=6, epochs=2, verbose=0).history
    history |= model.fit(X[:48], batch_size=6, verbose=0).history
    return weights(model), history


def test_the_same_weights_and_logs(monkeypatch):
    """Of ten batches in executions of four: a program of two steps; of eight, one of four."""
    programs = []

    def counted(model, of_fit, otherwise):
        programs.append(of_fit)
        return executions.train_function(model, of_fit, otherwise)

    monkeypatch.setattr("zoo.core.trainable.train_function", counted)
    one, four = fitted(1), fitted(4)
    assert programs == [(2, 5), (4, 2)]
    assert_equal(one[0], four[0])
    assert one[1] == four[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.method_names())
def test_the_same_weights_of_every_method(name):
    """But for the last digits where XLA convolves."""
    specimen, found = Specimen(zoo.get_method(name)), []
    for num_steps in (1, 3):
        model = specimen.build(jit_compile=True)
        model.steps_per_execution = num_steps
        specimen.fit(model, epochs=2)
        found.append(weights(model))
    for one, three in zip(*found, strict=True):
        np.testing.assert_allclose(three, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("num_steps", "strategy"),
    [(1, None), (2, None), (4, None), (1, tf.distribute.OneDeviceStrategy("CPU:0"))],
)
def test_epochs_have_orders_of_their_own(num_steps, strategy):
    """Of ten batches; executions of four end with an epoch, too, and a device reads ahead."""
    seen = []

    def note(batch):
        index = batch["index"]
        noted = tf.numpy_function(lambda i: seen.append(i.tolist()) or i, [index], tf.int32)
        return batch | {"index": tf.ensure_shape(noted, index.shape)}

    with strategy.scope() if strategy else contextlib.nullcontext():
        model = made(num_steps, jit_compile=num_steps == 4)
    data = batches_of({"x": X}, 6, seed=0, drop_remainder=True)
    expected = []
    for epoch in (2, 3, 4):
        epoch_variable().assign(epoch)
        expected += [batch["index"].numpy().tolist() for batch in data]
    options = tf.data.Options()
    options.autotune.enabled = True  # a user's, by which TensorFlow adds a prefetch
    model.fit(data.map(note).with_options(options), epochs=5, initial_epoch=2, verbose=0)
    # What was read ahead at the end is of no epoch.
    assert seen[:30] == expected and seen[:10] != seen[10:20]


@pytest.fixture
def asked(monkeypatch):
    """How many steps were asked to be one program, without XLA; and Keras makes them."""
    numbers = []

    def made(model, programs, otherwise):
        numbers.append(programs.num_steps)
        return otherwise

    monkeypatch.setattr("zoo.core.trainable.train_function", made)
    monkeypatch.setattr("zoo.core.fitting.programs_of", lambda *_: Programs(5, 2))
    return numbers


def own_steps(model):
    inner = model.train_step
    model.train_step = lambda batch: inner(batch) | {"mine": tf.constant(3.0)}


def own_track(model):
    inner = model.track
    model.track = lambda *arguments: inner(*arguments) | {"mine": tf.constant(3.0)}


@pytest.mark.parametrize("change", [own_steps, own_track])
def test_steps_that_tell_anything_are_left_to_keras(change, asked):
    model = made(5, jit_compile=False)
    change(model)
    assert model.fit(X, batch_size=6, verbose=0).history["mine"] == [3.0]
    assert not asked


def test_a_function_of_the_user_stays(asked):
    model, calls = made(5, jit_compile=False), []
    model.make_train_function()
    inner = model.train_function
    model.train_function = lambda batches: calls.append(0) or inner(batches)
    model.fit(X, batch_size=6, verbose=0)
    assert len(calls) == 2 and not asked
    model.make_train_function(force=True)
    model.fit(X, batch_size=6, verbose=0)
    assert len(calls) == 2 and asked == [5]


def test_outside_of_a_fit_keras_makes_the_steps():
    model, calls = made(5), []
    function = executions.train_function(model, Programs(5, 2), calls.append)
    function(iter(pipeline()))
    assert len(calls) == 1


def pipeline(batch_size=6, **kwargs):
    return tf.data.Dataset.from_tensor_slices({"x": X}).batch(batch_size, **kwargs)


WHOLE = {"drop_remainder": True}


@pytest.mark.parametrize(
    ("data", "num_steps", "steps_per_epoch", "expected"),
    [
        (pipeline(**WHOLE), 4, None, 2),
        (pipeline(**WHOLE), 10, None, 10),
        (pipeline(**WHOLE), 10, 4, 2),
        (pipeline(**WHOLE), 1, None, 1),
        (pipeline(7), 3, None, 1),
        (pipeline(**WHOLE).filter(lambda _: True), 4, None, 1),
        (pipeline(**WHOLE).repeat(), 4, 8, 1),
        (iter([{"x": X}]), 4, 8, 1),
        (tf.data.Dataset.from_tensors({"x": tf.zeros([10**6, 4])}).repeat(4), 4, None, 1),
    ],
)
def test_how_many_steps_are_one_program(data, num_steps, steps_per_epoch, expected):
    model = made(num_steps)
    assert programs_of(model, data, steps_per_epoch).num_steps == expected
    assert programs_of(made(num_steps, jit_compile=False), data, steps_per_epoch) == Programs()
    assert programs_of(made(num_steps, run_eagerly=True), data, steps_per_epoch) == Programs()


def test_convolutions_are_called_step_by_step(images):
    model = zoo.GLO.for_data(images, latent_dim=2, width=4, blocks="convolution")
    model.compile("adam", steps_per_execution=5)
    data = tf.data.Dataset.from_tensors({"x": images, "index": range(len(images))}).repeat(5)
    assert programs_of(model, data, None) == Programs()
