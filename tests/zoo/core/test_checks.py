"""Checks of plain values, and of networks."""

import keras
import numpy as np
import pytest

import zoo
from zoo.core.checks import check_choice, check_count, check_count_or_0, check_positive
from zoo.core.networks import check_deterministic


def test_choices():
    assert check_choice("mask", "left", ("left", "right")) == "left"
    for value, message in (
        ("lefft", "mask: unknown value 'lefft'; did you mean 'left'\\?"),
        ("LEFT", "mask: unknown value 'LEFT'; did you mean 'left'\\?"),
        ("qqq", "mask: unknown value 'qqq'; known are 'left', 'right'\\."),
        (None, "mask: unknown value None; known are"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            check_choice("mask", value, ("left", "right"))


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        *((check_positive, value, "must be greater than 0") for value in (0, -1.5, np.nan, np.inf)),
        *((check_count_or_0, value, "must be at least 0") for value in (-1, False, None)),
        *((check_positive, value, "must be greater than 0") for value in (True, "1", None, [1])),
        (check_count, 0, "must be greater than 0; it was 0"),
        (check_count, 1.0, "must be a whole number; it was 1.0"),
        (check_count, 2**31, "must be at most 2147483647; it was 2147483648"),
    ],
)
def test_numbers(check, value, message):
    check(other=1, also=np.int64(2**31 - 1))
    with pytest.raises(zoo.UsageError, match=f"^size {message}"):
        check(other=1, size=value)


def test_networks_whose_density_would_depend_on_noise():
    def network(layer):
        inner = keras.Sequential([keras.Input((3,)), layer])
        return keras.Sequential([keras.Input((3,)), inner])

    check_deterministic(decoder=network(keras.layers.LayerNormalization()))
    for layer in (
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.GaussianNoise(0.1),
    ):
        with pytest.raises(zoo.UsageError, match=f"decoder must not hold .*{layer.name!r}"):
            check_deterministic(decoder=network(layer))
    regularised = keras.layers.Dense(3, activity_regularizer="l2", name="penalised")
    with pytest.raises(zoo.UsageError, match="activity regularisers; 'penalised' has one"):
        check_deterministic(decoder=network(regularised))
