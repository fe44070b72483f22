"""What parts of models share: they are Keras layers, and are made by name."""

import copy
import inspect
from collections.abc import Mapping

import keras

from zoo.core.checks import UsageError, check_choice


class Part(keras.layers.Layer):
    """A part of a model: a Keras layer whose arguments may be Keras objects themselves."""

    @classmethod
    def from_config(cls, config):
        """The part of such a config."""
        # A copy, since Keras takes the entries out as it reads them.
        return cls(**keras.saving.deserialize_keras_object(copy.deepcopy(config)))

    def get_build_config(self):
        """None: the model builds its parts, also when it is loaded."""
        return None


def make_part(kind: str, choices: Mapping[str, type], part, **known):
    """A part by its name, by a dictionary of its `name` and arguments, or as it is.

    Args:
      kind: the argument that it is for, which errors name.
      choices: classes by name.
      part: a name, a dictionary (whose name may be left out where there is one choice), None for
        the only choice, or an object, which is returned.
      **known: what the model knows, for those classes that take it, unless the dictionary says it.

    Raises:
      UsageError: for an unknown name, or arguments that the class does not take.
    """
    if not isinstance(part, str | Mapping | None):
        return part
    arguments = dict(part) if isinstance(part, Mapping) else {"name": part} if part else {}
    default = next(iter(choices)) if len(choices) == 1 else None
    name = check_choice(kind, arguments.pop("name", default), choices)
    cls = choices[name]
    taken = _arguments_of(cls)
    if unknown := sorted(set(arguments) - taken):
        raise UsageError(
            f"{kind}: {name} does not take {unknown[0]}; it takes {', '.join(sorted(taken))}."
        )
    arguments = {k: v for k, v in known.items() if k in taken} | arguments
    try:
        return cls(**arguments)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{kind}: {name} does not take this: {error}") from None


def _arguments_of(cls) -> set[str]:
    """Names of the arguments of a class's constructor, those of its bases in the zoo among them."""
    names = set()
    for base in cls.__mro__:
        if base.__module__.split(".")[0] in ("keras", "builtins"):
            break
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names - {"self"}
