"""The schema of configs, and what stands behind the name of one."""

import ml_collections
import pytest
from programs import digits_config

import zoo
from zoo.runs.config import check_config, choose

CHOICES = {"digits": (), "mnist": ("paper", "small")}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("", ("digits", "")),
        ("digits", ("digits", "")),
        ("mnist", ("mnist", "paper")),
        ("mnist:paper", ("mnist", "paper")),
        ("mnist:small", ("mnist", "small")),
    ],
)
def test_choices(choice, expected):
    assert choose(choice, CHOICES) == expected


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("minst", "data: unknown value 'minst'; did you mean 'mnist'?"),
        ("svhn", "data: unknown value 'svhn'; known are 'digits', 'mnist'."),
        ("mnist:smal", "preset: unknown value 'smal'; did you mean 'small'?"),
        ("mnist:", "preset: unknown value ''; known are 'paper', 'small'."),
        ("digits:small", "preset: 'digits' has no presets; it was 'small'."),
    ],
)
def test_wrong_choices(choice, message):
    with pytest.raises(zoo.UsageError) as error:
        choose(choice, CHOICES)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": None}, "config: epochs must be a int; it was None"),
        ({"epochs": True}, "config: epochs must be a int; it was True"),
        ({"model": {"latent_dim": 3}}, "config: model and optimizer must have a name"),
        ({"optimizer": {"learning_rate": 1.0}}, "config: model and optimizer must have a name"),
        ({"data": "digits"}, "config: data must be a ConfigDict; it was 'digits'"),
        ({"evaluation": {"num_chains": 0}}, "num_chains must be greater than 0"),
        ({"evaluation": {"num_chain": 3}}, "evaluation does not take num_chain"),
    ],
)
def test_wrong_configs(change, message):
    with pytest.raises(zoo.UsageError, match=message):
        check_config(ml_collections.ConfigDict(digits_config(name="VAE").to_dict() | change))


def test_a_dictionary_is_no_config():
    with pytest.raises(zoo.UsageError, match="config must be a ConfigDict; it was a dict"):
        check_config(digits_config(name="VAE").to_dict())
