"""The names that flags know are those that the modules do."""

import dataclasses

import layers
from zoo.core import annealing, choices
from zoo.parts import StepSizeSearch
from zoo.scripts.configs import _nijkamp


def test_names_of_tables():
    assert choices.BLOCKS == layers.BLOCKS
    assert tuple(annealing.SCHEDULES) == choices.SCHEDULES


def test_protocols_are_whole():
    """All but where chains start is said, and "quick" is the default."""
    default = dataclasses.asdict(annealing.Annealing())
    del default["start"]
    assert choices.PROTOCOLS["quick"] == default
    for protocol in choices.PROTOCOLS.values():
        assert protocol.keys() == default.keys()
        annealing.Annealing(**protocol)


def test_a_config_says_all_of_a_search():
    default = dataclasses.asdict(StepSizeSearch())
    assert default | {"grid": list(default["grid"])} == _nijkamp.SEARCH
