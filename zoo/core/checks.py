"""Checks of what a user passes: one sentence names the argument, what it was, what it may be."""

import contextlib
import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np


class UsageError(ValueError):
    """A mistake of the caller, told in one sentence."""


@contextlib.contextmanager
def as_usage_error() -> Iterator[None]:
    """A context in which a ValueError of what is not of `zoo` is told as the caller's mistake."""
    try:
        yield
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None


def check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Returns `value`, once it is known to be one of `choices`.

    Raises:
      UsageError: naming the nearest choices, or all.
    """
    if isinstance(value, str) and value in choices:
        return value
    known = ", ".join(map(repr, sorted(choices)))
    raise unknown_choice(name, value, choices, f"known are {known}.")


def unknown_choice(name: str, value: str, choices: Collection[str], known: str) -> UsageError:
    """Returns what to raise for a value that is none of `choices`.

    Args:
      name: of the argument.
      value: of it.
      choices: of which the error names the nearest.
      known: how the sentence ends where none is near.
    """
    if len(str(value)) > 100:
        return UsageError(f"{name}: unknown value of {len(str(value))} letters; {known}")
    spelt = {choice.lower(): choice for choice in choices}
    likeness = 0.5 if len(spelt) < 100 else 0.7  # of many some are near by chance
    near = difflib.get_close_matches(str(value).lower(), spelt, n=3, cutoff=likeness)
    near = [spelt[choice] for choice in near]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else known
    return UsageError(f"{name}: unknown value {value!r}; {hint}")


def check_positive(**values: float) -> None:
    """Refuses what is not a finite number greater than 0.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < value < np.inf:
            raise UsageError(f"{name} must be greater than 0; it was {value!r}.")


def check_share(**values: float) -> None:
    """Refuses what is not a number from 0 up to 1, 1 not among them.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value < 1:
            raise UsageError(f"{name} must be at least 0 and less than 1; it was {value!r}.")


_MOST = 2**31 - 1  # programs count in int32


def check_count(**values: int) -> None:
    """Refuses what is not a positive whole number that programs can count to.

    Raises:
      UsageError: naming the first such argument.
    """
    check_positive(**values)
    for name, value in values.items():
        if not isinstance(value, int | np.integer):
            raise UsageError(f"{name} must be a whole number; it was {value!r}.")
        if value > _MOST:
            raise UsageError(f"{name} must be at most {_MOST}; it was {value!r}.")


def check_counts(**values: Sequence[int]) -> None:
    """Refuses what is not a sequence of positive whole numbers, as `check_count` has them.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        if not isinstance(value, list | tuple):
            raise UsageError(f"{name} must be a list of whole numbers; it was {value!r}.")
        for number in value:
            check_count(**{name: number})


def check_count_or_0(**values: int) -> None:
    """Refuses what is not a whole number that programs can count to, from 0 on.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value != 0:
            try:
                check_count(**{name: value})
            except UsageError as error:
                told = str(error).replace("greater than 0", "at least 0")
                raise UsageError(told) from None


def check_positives(**values: Sequence[float]) -> None:
    """Refuses what is not a sequence of one or more numbers greater than 0.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        if not isinstance(value, list | tuple) or not value:
            raise UsageError(f"{name} must be a list of numbers; it was {value!r}.")
        for number in value:
            check_positive(**{name: number})


def check_flag(**values: bool) -> None:
    """Refuses what is neither True nor False; of texts, "False" would count as True.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise UsageError(f"{name} must be True or False; it was {value!r}.")


def check_seed(**values: int) -> None:
    """Refuses what is not a whole number of which seeds can be made.

    Raises:
      UsageError: naming the first such argument.
    """
    for name, value in values.items():
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or abs(int(value)) > _LARGEST_SEED:
            raise UsageError(f"{name} must be a whole number of at most 62 bits; it was {value!r}.")


_LARGEST_SEED = 2**62  # networks add to it


def check_same_shapes(told: str, found: Mapping, wanted: Mapping) -> None:
    """Refuses arrays that are not those of a model, naming the first one that differs.

    Args:
      told: how the sentence begins.
      found: what a file holds: arrays, or what else has a shape, by name.
      wanted: what the model has, by name.

    Raises:
      UsageError: for one that is missing, too many, or of another shape.
    """
    for name in [*wanted, *found]:
        if name not in found:
            raise UsageError(f"{told}: it lacks {name!r}.")
        if name not in wanted:
            raise UsageError(f"{told}: it has {name!r}.")
        if tuple(found[name].shape) != tuple(wanted[name].shape):
            raise UsageError(
                f"{told}: {name!r} has the shape {list(found[name].shape)} there, and "
                f"{list(wanted[name].shape)} here."
            )
