"""The presets that come with the zoo score what their cards say, and they are small."""

import functools

import pytest

import zoo
from zoo import data, scores
from zoo.core.presets import FILES, PACKAGED, open_preset, preset_names
from zoo.runs import cards

DIGITS = [name for name in preset_names() if name.endswith("_digits")]


@functools.cache
def test_split(name):
    """The test images that a card is of."""
    return data.load(**open_preset(name).card["data"], verbose=False).test


test_split.__test__ = False


@pytest.mark.parametrize("name", DIGITS)
def test_the_loss_is_that_of_the_card(name):
    """On all test images with a draw for each, so that it takes a moment."""
    expected, model = open_preset(name).card["loss"], zoo.from_preset(name)
    test = test_split(name)
    assert abs(cards.loss_of(model, test)["value"] - expected["value"]) < expected["stderr"]
    if name == "vae_digits":  # the test can fail
        for variable in model.decoder.trainable_variables:
            variable.assign(0.8 * variable)
        found = cards.loss_of(model, test)["value"]
        assert abs(found - expected["value"]) > 2 * expected["stderr"]


@pytest.mark.slow
@pytest.mark.parametrize("name", preset_names())
def test_the_metric_is_that_of_the_card(name):
    preset = open_preset(name)
    metric, config = preset.card["metric"], preset.config["run"]
    settings = config["evaluation"] | {"seed": metric["seed"]}
    found, _ = scores.report(zoo.from_preset(name), test_split(name), **settings)
    assert abs(found[metric["name"]] - metric["value"]) < metric["stderr"]


def test_all_are_small_and_whole():
    files = [path for path in PACKAGED.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {*FILES}
    assert sum(path.stat().st_size for path in files) < 12e6
    for name in preset_names():
        card = open_preset(name).card
        told = ("data", "settings", "licence_of_data", "seed", "command", "commit", "epochs")
        assert card["name"] == name and all(card[key] is not None for key in told)
        assert card["training_seconds"] > 0 and card["metric"]["stderr"] > 0
