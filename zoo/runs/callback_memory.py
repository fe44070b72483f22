"""What callbacks remember from epoch to epoch, such as the best so far, for checkpoints."""

import copy
import inspect
import json
from collections.abc import Sequence

import keras
import numpy as np

_ARRAY = "array"  # the key of what stands for an array


def settings_of(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, dict]:
    """What callbacks hold as a fit begins, by a name for each: the values that `memory_of` leaves.

    Args:
      callbacks: of a fit, in order.

    Returns:
      By callback and attribute, plain values: numbers, words, arrays, and lists of them.
    """
    found = {}
    for callback in callbacks:
        kind = type(callback).__name__
        name = f"{kind} {sum(n.startswith(f'{kind} ') for n in found)}"
        # What a constructor takes is the user's to change.
        given = {
            argument
            for cls in type(callback).__mro__
            if "__init__" in vars(cls)
            for argument in inspect.signature(cls.__init__).parameters
        }
        found[name] = {
            attribute: copy.deepcopy(value)
            for attribute, value in vars(callback).items()
            if attribute not in given | {"params"} and _is_plain(value)
        }
    return found


def memory_of(callbacks: Sequence[keras.callbacks.Callback], at_first: dict) -> dict[str, dict]:
    """What callbacks remember: the plain values that differ from those as the fit began.

    Args:
      callbacks: of a fit, in order.
      at_first: what `settings_of` returned as it began.

    Returns:
      As `settings_of`.
    """
    missing = object()
    return {
        name: {k: v for k, v in now.items() if not _equal(at_first[name].get(k, missing), v)}
        for name, now in settings_of(callbacks).items()
    }


def recall(callbacks: Sequence[keras.callbacks.Callback], memory: dict[str, dict]) -> None:
    """Lets callbacks remember what `memory_of` found, each the one of its class and number."""
    for callback, name in zip(callbacks, settings_of(callbacks), strict=True):
        vars(callback).update(memory.get(name, {}))


def pack(values: dict, prefix: str) -> dict[str, np.ndarray]:
    """Nested plain values as arrays that an npz file can hold; names begin with `prefix`."""
    arrays = {}

    def replaced(value):
        if isinstance(value, np.generic):
            return value.item()
        name = f"{prefix}{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}

    text = json.dumps(values, default=replaced)
    return {prefix: np.array(text)} | arrays


def unpack(arrays: dict[str, np.ndarray], prefix: str) -> dict:
    """Takes what `pack` made out of arrays by name, and returns the nested values; {} without."""
    if prefix not in arrays:
        return {}

    def replaced(found):
        return arrays.pop(found[_ARRAY]) if set(found) == {_ARRAY} else found

    return json.loads(str(arrays.pop(prefix)), object_hook=replaced)


def _is_plain(value):
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(v) for key, v in value.items())
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufU"
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _equal(one, other):
    packed = [pack({"": value}, "") for value in (one, other)]
    return packed[0].keys() == packed[1].keys() and all(
        np.array_equal(array, packed[1][name]) for name, array in packed[0].items()
    )
