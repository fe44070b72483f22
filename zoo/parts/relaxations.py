"""Relaxations of bits by name, as configs have them."""

import dataclasses

import samplers
from samplers.relaxations import Relaxation
from zoo.parts.part import make_part


def get_relaxation(relaxation: str | dict | Relaxation) -> Relaxation:
    """A relaxation by its name, by a dictionary of its `name` and `beta`, or as it is.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("relaxation", samplers.RELAXATIONS, relaxation)


def relaxation_config(relaxation: Relaxation) -> dict:
    """The dictionary that `get_relaxation` takes for this one."""
    names = {cls: name for name, cls in samplers.RELAXATIONS.items()}
    return {"name": names[type(relaxation)]} | dataclasses.asdict(relaxation)
