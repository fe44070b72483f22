"""Relaxations of bits by name, as configs have them."""

import dataclasses

import samplers
from samplers.relaxations import Relaxation
from zoo.parts.part import make_part


def get_relaxation(relaxation: str | dict | Relaxation) -> Relaxation:
    """Makes a relaxation by its name or by a dictionary of its `name` and `beta`.

    Args:
      relaxation: such a name or dictionary, or an object.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("relaxation", samplers.RELAXATIONS, relaxation)


def relaxation_config(relaxation: Relaxation) -> dict:
    """Tells how a config says a relaxation.

    Args:
      relaxation: an object.

    Returns:
      The dictionary for which `get_relaxation` makes such a one.
    """
    names = {cls: name for name, cls in samplers.RELAXATIONS.items()}
    return {"name": names[type(relaxation)]} | dataclasses.asdict(relaxation)
