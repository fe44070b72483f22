"""Configs resolved: with every default, from which the same run follows."""

import inspect
import json
import pathlib

import keras
import numpy as np
import pytest
from programs import digits_config
from training import assert_equal, weights

import zoo
from zoo import data
from zoo.core import registry
from zoo.runs.build import build
from zoo.runs.defaults import method_defaults, resolve
from zoo.testing.specimen import load_data


def test_every_argument_has_its_default():
    config = digits_config(name="HMCDLGM", num_steps=7)
    resolved = resolve(config)
    assert resolved.model.to_dict() == {
        "name": "HMCDLGM",
        "likelihood": "bernoulli",
        "latent_dim": 2,
        "hidden": (8,),
        "num_steps": 7,
    } | {  # of for_data, of HMCDLGM, and of VAE
        "activation": "softplus",
        "blocks": "dense",
        "channels": (16, 32, 32),
        "dtype": None,
        "upper_latent_dim": 0,
        "upper_hidden": (100, 100),
        "trajectory": 1.5,
        "max_num_leapfrog_steps": 25,
        "jitter": 0.0,
        "target_accept": 0.25,
        "adaptation_rate": 0.02,
        "step_size": 0.1,
        "min_step_size": 0.01,
        "max_step_size": 1.0,
        "shear": True,  # which is False in a VAE
        "annealing_steps": 0,
        "posterior": "mean_field",
        "prior": "standard_normal",
    }
    loaded = inspect.signature(data.load).parameters
    assert set(resolved.data) == set(loaded) - {"seed", "verbose", "options"}
    assert all(resolved.data[key] == loaded[key].default for key in ("size", "grey", "invert"))
    assert {"beta_1": 0.9, "boundaries": None}.items() <= resolved.optimizer.to_dict().items()
    assert "num_images" in resolved.evaluation and "chunk_size" in resolved.evaluation
    assert config == digits_config(name="HMCDLGM", num_steps=7)  # which is left as it was
    assert resolve(resolved) == resolved


def test_the_same_run_follows(digits):
    models = []
    for config in (digits_config(name="HMCDLGM"), resolve(digits_config(name="HMCDLGM"))):
        keras.utils.clear_session(free_memory=False)
        models.append(build(config, digits))
    assert models[0].get_config() == models[1].get_config()
    assert models[0].optimizer.get_config() == models[1].optimizer.get_config()
    assert_equal(*map(weights, models))


@pytest.mark.parametrize("name", zoo.method_names())
def test_the_same_model_follows(name):
    """Defaults can be written, hold what the method's own constructor says, and change nothing."""
    method, tiny, _, source, _ = registry.methods()[name]
    found = method_defaults(method)
    assert json.loads(json.dumps(found)).keys() == found.keys()
    for argument, parameter in inspect.signature(method).parameters.items():
        plain = isinstance(parameter.default, bool | int | float | str)
        assert argument in found or not plain or argument == "seed"
    assert {"hidden"} & tiny.keys() <= found.keys()
    assert {"hidden", "width", "units"} & found.keys()
    models = []
    for arguments in (tiny, found | tiny):
        keras.utils.clear_session(free_memory=False)
        models.append(method.for_data(load_data(source), **arguments))
        models[-1].compile()
    assert models[0].get_config() == models[1].get_config()
    assert_equal(*map(weights, models))


def test_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = digits_config(name="VAE")
    config.data.source, config.data.data_dir = "npz:a.npz", "prepared"
    found = resolve(config).data
    assert found.source == f"npz:{tmp_path / 'a.npz'}"
    assert found.data_dir == str(pathlib.Path("prepared").resolve())
    config.data.data_dir = "gs://bucket/prepared"
    assert resolve(config).data.data_dir == "gs://bucket/prepared"


def test_unknown_methods_and_optimizers():
    for part, name, message in (
        ("model", "VEA", "model: unknown value 'VEA'; did you mean 'VAE'"),
        ("optimizer", "Adm", "optimizer: unknown value 'Adm'; did you mean 'Adam'"),
    ):
        config = digits_config(name="VAE")
        config[part].name = name
        with pytest.raises(zoo.UsageError, match=message):
            resolve(config)


def test_learning_rates_by_default():
    config = digits_config(name="VAE")
    del config.optimizer.learning_rate
    np.testing.assert_equal(resolve(config).optimizer.learning_rate, 0.001)  # that of Keras
