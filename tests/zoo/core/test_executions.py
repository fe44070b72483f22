"""Several steps in one program of XLA are those of as many calls."""

import numpy as np
import pytest
import tensorflow as tf
from training import assert_equal, weights

import zoo
from zoo.core import executions
from zoo.core.executions import steps_of_program
from zoo.testing.specimen import Specimen

X = np.random.default_rng(0).uniform(size=(60, 4)).astype(np.float32)


def made(num_steps, jit_compile=True, **kwargs):
    model = zoo.VAE.for_data(X, latent_dim=2, hidden=(3,))
    model.compile("adam", jit_compile=jit_compile, steps_per_execution=num_steps, **kwargs)
    return model


def fitted(num_steps):
    model = made(num_steps)
    history = model.fit(X, batch_size=6, epochs=2, verbose=0).history
    model.train_on_batch(X[:6])  # which has no pipeline
    history |= model.fit(X[:48], batch_size=6, verbose=0).history
    return weights(model), history


def test_the_same_weights_and_logs(monkeypatch):
    """Of ten batches in executions of four: a program of two steps; of eight, one of four."""
    programs = []

    def counted(model, num_steps, otherwise):
        programs.append(num_steps)
        return executions.train_function(model, num_steps, otherwise)

    monkeypatch.setattr("zoo.core.trainable.train_function", counted)
    one, four = fitted(1), fitted(4)
    assert programs == [2, 4]
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
        assert model._steps_made == num_steps
        found.append(weights(model))
    for one, three in zip(*found, strict=True):
        np.testing.assert_allclose(three, one, rtol=1e-4, atol=1e-6)


def test_steps_that_tell_anything_are_left_to_keras():
    class Own(zoo.VAE):
        def train_step(self, data):
            return super().train_step(data) | {"mine": tf.constant(3.0)}

    model = Own.for_data(X, latent_dim=2, hidden=(3,))
    model.compile("adam", steps_per_execution=5)
    assert model.fit(X, batch_size=6, verbose=0).history["mine"] == [3.0]


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
    ],
)
def test_how_many_steps_are_one_program(data, num_steps, steps_per_epoch, expected):
    model = made(num_steps)
    assert steps_of_program(model, data, steps_per_epoch) == expected
    assert steps_of_program(made(num_steps, jit_compile=False), data, steps_per_epoch) == 1
    assert steps_of_program(made(num_steps, run_eagerly=True), data, steps_per_epoch) == 1
