"""The registry of methods: from a name in a config to a class, and its tiny form for tests."""

from collections.abc import Callable

import keras

from zoo.core.checks import check_choice

_METHODS: dict[str, type] = {}


def register(*, tiny: dict) -> Callable[[type], type]:
    """Adds a model class to the zoo, under its own name.

    Args:
      tiny: keyword arguments of `for_data` with which the contract suite builds a small model.
    """

    def add(cls):
        cls.tiny = tiny
        _METHODS[cls.__name__] = cls
        return keras.saving.register_keras_serializable("zoo")(cls)

    return add


def method_names() -> list[str]:
    """Names of all registered methods."""
    return sorted(_METHODS)


def get_method(name: str) -> type:
    """The class registered as `name`.

    Raises:
      UsageError: naming the nearest known methods.
    """
    return _METHODS[check_choice("model", name, _METHODS)]
