"""Abilities: a model has one exactly when its class defines the method."""

from collections.abc import Callable


def ability(method: Callable) -> Callable:
    """Decorates a method of a base class that only says what it means to define it."""
    method.is_only_described = True
    return method


def follows_from(name: str) -> Callable[[Callable], Callable]:
    """Decorates a method that a base class defines for all models that have the ability `name`."""

    def decorate(method):
        method.follows_from = name
        return method

    return decorate


def defines(model, name: str) -> bool:
    """Returns whether a model, or a class of models, defines the method or property `name`."""
    cls = model if isinstance(model, type) else type(model)
    found = getattr(cls, name, None)
    found = getattr(found, "fget", found)  # of a property
    needed = getattr(found, "follows_from", None)
    if needed is not None:
        return defines(cls, needed)
    return found is not None and not getattr(found, "is_only_described", False)
