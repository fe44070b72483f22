"""The curves of three ways to learn a decoder, on few images."""

import importlib

import numpy as np
import pytest

import zoo
from zoo import analysis

study = importlib.import_module("zoo.scripts.studies.aevb_mcem_wake_sleep")


@pytest.mark.slow
def test_every_method_learns():
    plot = analysis.draw(
        "aevb_mcem_wake_sleep",
        num_train=(60,),
        num_seen=1200,
        num_points=2,
        hidden=10,
        num_images=20,
        num_chains=4,
        num_increments=5,
        jit_compile=False,
    )
    labels = [row[:4] for row in plot.rows]
    assert labels == [
        (method, 60, seen, split)
        for method in study.METHODS
        for seen in (60, 1200)
        for split in ("train", "test")
    ]
    values = np.array([row[4] for row in plot.rows]).reshape(3, 2, 2)
    assert (values[:, 1] > values[:, 0]).all()
    # One hidden layer that has learned nothing: 64 coins, about.
    assert (values < -15).all() and (values > -70).all()


def test_stretches():
    assert study._stretches(1000, 3, 10) == [(0, 1), (1, 10), (10, 100)]
    assert study._stretches(5, 3, 10) == [(0, 1)]


def test_more_images_than_there_are():
    with pytest.raises(zoo.UsageError, match="num_train and num_images must be at most 1297"):
        analysis.draw("aevb_mcem_wake_sleep", num_train=(200, 5000))
    for num_train in (200, ()):
        with pytest.raises(zoo.UsageError, match="num_train must be a list of whole numbers"):
            analysis.draw("aevb_mcem_wake_sleep", num_train=num_train)
