"""Accuracy and calibration of known probabilities."""

import numpy as np
import pytest

from zoo.scores.classification import reliability


def test_bins_hold_probability_against_accuracy():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    bins = reliability(probabilities, np.array([0, 1, 0, 1]), num_bins=10)
    assert bins["count"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0, 2]
    assert bins["accuracy"][9] == 0.5 and bins["confidence"][9] == pytest.approx(0.9)
    assert np.isnan(bins["accuracy"][0])


def test_calibrated_probabilities_are_found_so():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 20_000)
    y = (rng.random((20_000, 1)) > probabilities.cumsum(1)).sum(1)
    bins = reliability(probabilities, y)
    gap = np.abs(bins["accuracy"] - bins["confidence"])
    error = np.sqrt(0.25 / np.maximum(bins["count"], 1))
    assert np.nanmax(gap / error) < 4
    wrong = reliability(probabilities**3 / (probabilities**3).sum(1, keepdims=True), y)
    assert np.nanmax(np.abs(wrong["accuracy"] - wrong["confidence"]) / error) > 10
