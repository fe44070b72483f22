"""A trained run as a part of another."""

import numpy as np
import pytest
from programs import digits_config, get_config, make_run

import zoo
from zoo.runs.build import build
from zoo.runs.defaults import resolve
from zoo.runs.overrides import complete


@pytest.fixture(scope="module")
def labelled():
    return zoo.data.load("digits", num_labels=50, verbose=False)


def test_features_of_a_run(labelled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "m1", digits_config(name="VAE"), labelled)
    config = get_config("m1_m2:digits")
    # As a flag changes it: a text in the place of a dictionary.
    config = complete(config, {"model.features": "m1"})
    config.model.features = "m1"
    config.model.min_stddev = 1e-4
    config = resolve(config)
    assert config.model.features == str(tmp_path / "m1")
    model = build(config, labelled)
    assert not model.train_features
    for one, other in zip(model.features_model.weights, run.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    config.model.features = "elsewhere"
    with pytest.raises(zoo.UsageError, match="elsewhere"):
        build(config, labelled)
