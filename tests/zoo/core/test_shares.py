"""Replicas count by the examples that they have, and one that has none counts nothing."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from stub_model import Stub, X, stub
from training import two_replicas

import zoo


def on_two_replicas(optimizer="sgd"):
    with two_replicas().scope():
        model = Stub()
        model.compile(optimizer, run_eagerly=True)
    return model


def shares(sizes):
    """Of the first images, what each replica has."""

    def share(context):
        first = 0 if context.replica_id_in_sync_group == 0 else sizes[0]
        return {"x": tf.constant(X[first : first + sizes[context.replica_id_in_sync_group]])}

    return two_replicas().experimental_distribute_values_from_function(share)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1), (4, 0), (0, 3), (1, 0)])
def test_own_loops_over_uneven_shares(sizes):
    """As one replica with all: the weights, and what each replica is told."""
    one, two = stub(), on_two_replicas()
    batch = {"x": X[: sum(sizes)]}
    for step in ("train_step", "test_step"):
        expected = getattr(one, step)(batch)
        told = two_replicas().run(getattr(two, step), args=(shares(sizes),))
        for name, values in told.items():
            for value in two_replicas().experimental_local_results(values):
                np.testing.assert_allclose(value, expected[name], rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(one.mean, two.mean, rtol=1e-6)


def test_what_a_share_may_not_hold():
    two = on_two_replicas()
    with pytest.raises(zoo.UsageError, match="sample_weight must be left out"):
        two_replicas().run(two.train_step, args=((X, None, X[:, 0]),))


def test_scaled_losses_of_two_groups_on_two_replicas():
    """Each replica's objective is scaled, and their sum once."""
    results = []
    for model, scope in (
        (stub, contextlib.nullcontext()),
        (on_two_replicas, two_replicas().scope()),
    ):
        with scope:
            optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
        model = model(optimizer={"mean": optimizer})
        model.fit(X[:9], batch_size=3, verbose=0)
        results.append(model.mean.numpy())
    np.testing.assert_allclose(*results, rtol=1e-6)
    assert np.abs(results[0]).min() > 0.01


@pytest.mark.parametrize(
    ("name", "value"), [("gradient_accumulation_steps", 2), ("ema_overwrite_frequency", 3)]
)
def test_what_keras_cannot_do_on_replicas_is_refused(name, value):
    arguments = {name: value} | ({"use_ema": True} if name.startswith("ema") else {})
    inner = keras.optimizers.SGD(**arguments)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(**arguments))
    for optimizer in (inner, scaled, {"mean": keras.optimizers.SGD(**arguments)}):
        with pytest.raises(zoo.UsageError, match=f"optimizer: {name} must be left out on the 2"):
            on_two_replicas(optimizer)


def test_models_and_optimizers_are_of_one_strategy():
    with pytest.raises(zoo.UsageError, match="optimizer must be made in the scope of the model's"):
        on_two_replicas(keras.optimizers.SGD())
    with pytest.raises(zoo.UsageError, match="optimizer must be made in .*; 'one' was made in an"):
        on_two_replicas({"mean": keras.optimizers.SGD(name="one")})
    outside = Stub()
    with two_replicas().scope(), pytest.raises(zoo.UsageError, match="compile must be called in"):
        outside.compile("sgd")
    with two_replicas().scope():
        inside = Stub()
    inside.compile("sgd", run_eagerly=True)
    assert np.isfinite(inside.train_on_batch(X[:3])).all()
    with pytest.raises(zoo.UsageError, match="steps_per_execution must be 1 on the 2 replicas"):
        inside.compile("sgd", steps_per_execution=2)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_batch_by_itself_is_predicted_once(size):
    np.testing.assert_array_equal(on_two_replicas().predict_on_batch(X[:size]), X[:size])
