"""The registry of methods: from a name in a config to a class, its paper and its tiny form."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import keras

from zoo.core import renamed
from zoo.core.checks import UsageError, check_choice


class Paper(NamedTuple):
    """The source of a method, for the table of methods and the list of citations.

    Attributes:
      authors: "Family, Given", in order.
      title: of the paper.
      year: of its publication.
      venue: the proceedings or the journal.
      kind: as the Citation File Format names it, such as "conference-paper" or "article".
    """

    authors: tuple[str, ...]
    title: str
    year: int
    venue: str = ""
    kind: str = "conference-paper"


class Registered(NamedTuple):
    """A method of the zoo.

    Attributes:
      cls: the model class.
      tiny: arguments of `for_data` for a model so small that tests can train it.
      variants: by a label, arguments that differ from `tiny`, for tests of other parts.
      data: the source of the data that tests train it on.
      papers: where the method is from.
    """

    cls: type
    tiny: dict
    variants: dict[str, dict]
    data: str
    papers: tuple[Paper, ...]

    @property
    def summary(self) -> str:
        """What the method is, the first line of the docstring of its class."""
        return str(self.cls.__doc__).strip().splitlines()[0].rstrip(".")


_METHODS: dict[str, Registered] = {}
for _name in renamed.CLASSES:
    keras.saving.get_custom_objects()[f"zoo>{_name}"] = renamed.OldFile


def register(
    *,
    tiny: dict,
    variants: dict[str, dict] | None = None,
    data: str = "digits",
    paper: Paper | tuple[Paper, ...] = (),
) -> Callable[[type], type]:
    """Adds a model class to the zoo, under its own name.

    Args:
      tiny: keyword arguments of `for_data` with which `zoo.testing.check_model` builds a small
        model.
      variants: by a label, further arguments with which it builds others.
      data: the source of the data that they are trained on.
      paper: one or several, where the method is from.

    Returns:
      A decorator of the class, which Keras can then load by name, too.
    """

    def add(cls):
        papers = (paper,) if isinstance(paper, Paper) else tuple(paper)
        _METHODS[cls.__name__] = Registered(cls, tiny, variants or {}, data, papers)
        return keras.saving.register_keras_serializable("zoo")(cls)

    return add


def methods() -> dict[str, Registered]:
    """All registered methods, by name."""
    return dict(sorted(_all().items()))


def method_names() -> list[str]:
    """Names of all registered methods."""
    return sorted(_all())


def get_method(name: str) -> type:
    """The class registered as `name`.

    Args:
      name: of a method of the zoo, or "module:name" of one that this module registers.

    Raises:
      UsageError: naming the nearest known methods, what replaced one, or why a module is not found.
    """
    renamed.check_method(name)
    module, colon, method = str(name).rpartition(":")
    if colon:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(f"model: {name!r} cannot be imported: {error}.") from None
    known = _all()
    return known[check_choice("model", method if colon else name, known)].cls


def _all():
    """The registered methods, those of the zoo among them, whichever of its modules was first."""
    importlib.import_module("zoo.models")
    return _METHODS
