"""An optimizer for each parameter group."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_gaussian import gradients, linear_gaussian, linear_model

import zoo

LAW = linear_gaussian()
RATES = {"inference": 1e-3, "generation": 1e-2}


def grouped(**optimizers):
    """A model of two groups and no chain, whose networks are a user's own."""
    model = linear_model(zoo.AnnealedVAE, LAW, num_increments=1, last_move=False)
    model.compile(optimizers, jit_compile=False)
    return model


def test_each_group_descends_by_its_own():
    model = grouped(**{k: keras.optimizers.SGD(rate) for k, rate in RATES.items()})
    x = LAW.simulate(10)
    before = {k: [v.numpy() for v in vs] for k, vs in model.parameter_groups.items()}
    descended = gradients(model, x, model.seed_of("train", model.training_step.value))
    model.train_step({"x": tf.constant(x)})
    for group, variables in model.parameter_groups.items():
        for v, old, gradient in zip(variables, before[group], descended[group], strict=True):
            np.testing.assert_allclose(v - old, -RATES[group] * gradient, rtol=1e-3, atol=1e-6)
    assert model.optimizer.iterations == 1


def test_they_are_in_files(tmp_path):
    """A loaded model goes on, though its variables have other paths."""
    model = grouped(inference="adam", generation=keras.optimizers.SGD(1e-2, momentum=0.9))
    batch = {"x": tf.constant(LAW.simulate(10))}
    model.train_step(batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert {v.path for v in loaded.variables} != {v.path for v in model.variables}
    for both in (model, loaded):
        both.train_step(batch)
    pairs = zip(
        [*model.variables, *model.optimizer.variables],
        [*loaded.variables, *loaded.optimizer.variables],
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_groups_must_be_those_of_the_model():
    with pytest.raises(zoo.UsageError, match="one for each of the parameter groups .'generation'"):
        grouped(inference="adam", decoder="adam")
