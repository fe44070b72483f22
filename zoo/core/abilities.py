"""Abilities: a model has one exactly when its class defines the method."""

from collections.abc import Callable


def ability(method: Callable) -> Callable:
    """Decorates a method of a base class that only says what it means to define it."""
    method.is_only_described = True
    return method


def follows_from(name: str) -> Callable[[Callable], Callable]:
    """Decorates a method that a base class defines for all models that have the ability `name`.

    Args:
      name: of a method; with a dot that of a part, such as "posterior_part.distribution".
    """

    def decorate(method):
        method.follows_from = name
        return method

    return decorate


def defines(model, name: str) -> bool:
    """Returns whether a model, or a class of models, defines the method or property `name`."""
    part, _, name = name.rpartition(".")
    if part:  # of which a class alone does not know what it will be
        return isinstance(model, type) or defines(getattr(model, part), name)
    cls = model if isinstance(model, type) else type(model)
    found = getattr(cls, name, None)
    found = getattr(found, "fget", found)  # of a property
    needed = getattr(found, "follows_from", None)
    if needed is not None:
        return defines(model, needed)
    return found is not None and not getattr(found, "is_only_described", False)
