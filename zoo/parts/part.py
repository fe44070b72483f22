"""What parts of models share: they are Keras layers, and are made by name."""

import copy
import inspect
from collections.abc import Mapping

import keras

from zoo.core.checks import UsageError, check_choice
from zoo.core.dtypes import density_dtype


class Part(keras.layers.Layer):
    """A part of a model: a Keras layer whose arguments may be Keras objects themselves.

    Args:
      dtype: as that of a model, whose densities it computes.
      **kwargs: `name`.
    """

    _belongs = False

    def __init__(self, *, dtype: str | keras.DTypePolicy | None = None, **kwargs):
        super().__init__(dtype=density_dtype(dtype), **kwargs)

    def belong(self, kind: str) -> None:
        """Takes the part for a model that trains it alone.

        Args:
          kind: the argument that it is for, which the error names.

        Raises:
          UsageError: if it is another model's.
        """
        if self._belongs:
            raise UsageError(
                f"{kind} must be another object for each model; this one was another's."
            )
        self._belongs = True

    @classmethod
    def from_config(cls, config):
        """Makes the part of a config.

        Args:
          config: what `get_config` gave, in which Keras objects are serialised.

        Returns:
          The part, untrained.
        """
        # A copy, since Keras takes the entries out as it reads them.
        return cls(**keras.saving.deserialize_keras_object(copy.deepcopy(config)))

    def get_build_config(self):
        """Returns nothing to build by: a model builds its parts, also when it is loaded."""
        return None

    def get_config(self):
        """Returns the arguments of the constructor; a part that has some of its own adds them."""
        # Defined here, or Keras would make it up of arguments, some of which are no plain values.
        return super().get_config()


def make_part(kind: str, choices: Mapping[str, type], part, **known):
    """Makes a part by its name or by a dictionary of its `name` and arguments.

    Args:
      kind: the argument that it is for, which errors name.
      choices: classes by name.
      part: a name, a dictionary (whose name may be left out where there is one choice), None for
        the only choice, or an object, which is returned.
      **known: what the model knows, for those classes that take it, unless the dictionary says it.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, arguments that the class does not take, or an object of
        another type of numbers.
    """
    if not isinstance(part, _SAID_BY_CONFIGS):
        dtype = known.get("dtype") or getattr(part, "dtype", None)
        if getattr(part, "dtype", dtype) != dtype:
            raise UsageError(f"{kind} must be of the model's dtype, {dtype}; it is {part.dtype}.")
        return part
    arguments = dict(part) if isinstance(part, Mapping) else {} if part is None else {"name": part}
    default = next(iter(choices)) if len(choices) == 1 else None
    if arguments and "name" not in arguments and default is None:
        raise UsageError(
            f"{kind} must say its name, one of {', '.join(map(repr, sorted(choices)))}; it was "
            f"{arguments!r}."
        )
    name = check_choice(kind, arguments.pop("name", default), choices)
    cls, said = choices[name], kind if name == default else f"{kind}: {name}"
    taken = _arguments_of(cls)
    if unknown := sorted(set(arguments) - taken):
        known_ones = ", ".join(sorted(taken - {"dtype"})) or "no arguments"
        raise UsageError(f"{said} does not take {unknown[0]}; it takes {known_ones}.")
    arguments = {k: v for k, v in known.items() if k in taken | {"name"}} | arguments
    try:
        return cls(**arguments)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{said} does not take this: {error}") from None


# Anything else is a part already.
_SAID_BY_CONFIGS = (str, Mapping, type(None), bool, int, float, list, tuple)


def _arguments_of(cls) -> set[str]:
    """Names of the arguments of a class's constructor and of its bases', but for Keras's own."""
    names = set()
    for base in cls.__mro__:
        if issubclass(keras.layers.Layer, base):
            break
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            names |= {p.name for p in parameters if p.kind in _NAMED}
    return names - {"self"}


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
