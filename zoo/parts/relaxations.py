"""Relaxations of bits by name, as configs have them."""

import dataclasses

import samplers
from samplers.relaxations import Relaxation
from zoo.core.checks import UsageError, check_choice


def get_relaxation(relaxation: str | dict | Relaxation) -> Relaxation:
    """A relaxation by its name, by a dictionary of its `name` and `beta`, or as it is.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    if isinstance(relaxation, Relaxation):
        return relaxation
    arguments = dict(relaxation) if isinstance(relaxation, dict) else {"name": relaxation}
    name = check_choice("relaxation", arguments.pop("name", None), samplers.RELAXATIONS)
    try:
        return samplers.RELAXATIONS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"relaxation: {name} does not take this: {error}") from None


def relaxation_config(relaxation: Relaxation) -> dict:
    """The dictionary that `get_relaxation` takes for this one."""
    names = {cls: name for name, cls in samplers.RELAXATIONS.items()}
    return {"name": names[type(relaxation)]} | dataclasses.asdict(relaxation)
