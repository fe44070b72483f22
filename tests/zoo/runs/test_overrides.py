"""What a config leaves out can be changed, too, and what nothing takes is refused."""

import ml_collections
import pytest
from programs import digits_config

import zoo
from zoo.runs.defaults import resolve
from zoo.runs.overrides import complete, given_overrides


@pytest.mark.parametrize("name", zoo.method_names())
def test_every_argument_of_every_method(name):
    config = digits_config(name=name)
    resolved = resolve(config)
    values = complete(config, {})
    assert values.to_dict() == resolved.to_dict()
    assert resolve(values).to_json_best_effort() == resolved.to_json_best_effort()
    keys = [
        section if key is None else f"{section}.{key}"
        for section, inner in resolved.items()
        for key in (inner if isinstance(inner, ml_collections.ConfigDict) else [None])
    ]
    assert complete(config, dict.fromkeys(keys)).to_dict() == resolved.to_dict()


def test_a_changed_name_brings_its_own_defaults():
    config = digits_config(name="VAE")
    found = complete(config, {"model.name": "HMCDLGM", "optimizer.name": "SGD"})
    assert {"name": "HMCDLGM", "trajectory": 1.5}.items() <= found.model.to_dict().items()
    assert "nesterov" in found.optimizer and "beta_1" not in found.optimizer
    assert config == digits_config(name="VAE")


@pytest.mark.parametrize(
    "key", ["data.source.x", "seed.x", "evaluation.num_chains.x", "x", "", "."]
)
def test_no_other_keys(key):
    with pytest.raises(zoo.UsageError, match=f"config: unknown value '{key}'; "):
        complete(digits_config(name="VAE"), {key: None})


def test_arguments_that_change_a_config():
    arguments = "train --config=vae --config.a.b=1=2 -config.c 3 --noconfig.d --configs.e=1"
    expected = {"a.b": "1=2", "c": "3", "d": "--configs.e=1"}
    assert given_overrides(arguments.split()) == expected


def test_a_source_brings_its_own_arguments():
    config = digits_config(name="VAE")
    assert "max_length" not in complete(config, {}).data
    found = complete(config, {"data.source": "audio:speech", "data.rate": "16000"}).data
    assert (found.rate, found.frame, found.get("max_length")) == (8000, 200, None)
    config.data.update(source="strokes:a.npz", max_length=40)
    assert complete(config, {"data.max_length": "50"}).data.max_length == 40  # until it is changed
    with pytest.raises(zoo.UsageError, match="config: unknown value 'data.rate'"):
        complete(config, {"data.rate": "16000"})
