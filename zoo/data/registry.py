"""The registry of sources: from a kind, such as "npz", to the function that reads it."""

import dataclasses
import inspect
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

from zoo.core.checks import UsageError
from zoo.core.fields import Field
from zoo.data.splits import Preparation, Splits, image_fields, numbered

_FALLBACK = "tfds"  # the kind of what is written without one


class Source(NamedTuple):
    """A kind of source.

    Attributes:
      read: a function that returns arrays by split and field, or these and more facts by name.
      fields: a function from these to the fields, by name; facts are arguments by keyword.
      path: what messages call the path behind the kind's colon; None if there is none.
      name: what they call a name there; None if there is none.
      levels: grey levels that a pixel can have.
    """

    read: Callable[..., Splits | tuple[Splits, dict]]
    fields: Callable[..., dict[str, Field]]
    path: str | None
    name: str | None
    levels: int = 256


_SOURCES: dict[str, Source] = {}


def register_source(
    kind: str,
    *,
    path: str | None = None,
    name: str | None = None,
    fields: Callable[..., dict[str, Field]] = image_fields,
    levels: int = 256,
) -> Callable[[Callable], Callable]:
    """Adds a source, which `zoo.data.load` then knows as "kind", or "kind:" and what follows.

    Args:
      kind: such as "npz".
      path: what messages call the path that follows the colon, such as "PATH", if one does.
      name: what they call the name that follows, if it is no path.
      fields: from what the function returns to its fields, by name; by default those of images `x`
        and, where there are any, labels `y`.
      levels: grey levels that a pixel can have.

    Returns:
      A decorator of the function that reads the source. It takes the path or the name, if there is
      one, and by keyword those arguments of `load` that it looks at (`data_dir`, `verbose`, and
      `prepare`, a `Preparation` of all that are for images), and others of its own. It returns
      arrays by split and field, of which labels `y` may be texts; where there is no "test" or
      "validation", a part of "train" is kept out for it. What else `fields` must know, such as the
      rate of waveforms, it returns beside the arrays, a dictionary of arguments.
    """

    def add(read):
        _SOURCES[kind] = Source(read, fields, path, name, levels)
        return read

    return add


def sources() -> dict[str, str]:
    """Returns how each kind of source is written, such as "npz:PATH", by kind."""
    places = {kind: source.path or source.name for kind, source in sorted(_SOURCES.items())}
    return {kind: f"{kind}:{place}" if place else kind for kind, place in places.items()}


def absolute_source(source: str) -> str:
    """Returns the same source with an absolute path, if it has one, for use from anywhere."""
    kind, place = _parts(str(source))
    if kind in _SOURCES and _SOURCES[kind].name == "SOURCE" and place:  # of another source
        return f"{kind}:{absolute_source(place)}"
    return f"{kind}:{place.resolve()}" if isinstance(place, pathlib.Path) else source


def source_name(source: str) -> str:
    """Returns what a source is called in the name of a folder: as its own folder or file is."""
    kind, place = _parts(str(source))
    if kind in _SOURCES and _SOURCES[kind].name == "SOURCE" and place:
        return f"{kind}_{source_name(place)}"
    if isinstance(place, pathlib.Path):
        place = place.resolve()
        source = (place.stem if place.is_file() else place.name) or kind
    return re.sub(r"[^\w.-]+", "_", str(source))


def read_source(source: str, verbose: bool, options: dict) -> tuple[Splits, dict[str, Field]]:
    """Reads a source.

    Args:
      source: as `zoo.data.load` takes it.
      verbose: for those sources that show something.
      options: arguments of the source.

    Returns:
      Arrays by split and field, and the fields by name.

    Raises:
      UsageError: for an unknown or broken source, or an option that it does not take.
    """
    kind, place = _parts(source)
    found = _SOURCES[kind]
    if bool(place) != bool(found.path or found.name):
        raise UsageError(f"data: {kind!r} must be written {sources()[kind]!r}; it was {source!r}.")
    parameters = inspect.signature(found.read).parameters.values()
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    taken = [name for name in own if name != "prepare"] + (_PREPARED if "prepare" in own else [])
    if unknown := sorted(set(options) - set(taken)):
        raise UsageError(
            f"data: {kind!r} does not take {unknown[0]}; it takes {', '.join(sorted(taken))}."
        )
    known = {"verbose": verbose} if "verbose" in own else {}
    if "prepare" in own:
        known["prepare"] = Preparation(**{k: v for k, v in options.items() if k in _PREPARED})
        options = {k: v for k, v in options.items() if k not in _PREPARED}
    read = found.read(*([place] if place else []), **known, **options)
    splits, facts = read if isinstance(read, tuple) else (read, {})
    splits, class_names = numbered(splits)
    fields = found.fields(splits, **facts)
    if class_names and "y" in fields:
        fields["y"] = dataclasses.replace(fields["y"], class_names=class_names)
    return splits, fields


_PREPARED = [field.name for field in dataclasses.fields(Preparation)]


def reader_of(source: str) -> Callable:
    """Returns the function that reads a source, whose own arguments `zoo.data.load` passes on."""
    return _SOURCES[_parts(source)[0]].read


def levels_of(source: str) -> int:
    """Returns how many grey levels a pixel of a source can have."""
    return _SOURCES[_parts(source)[0]].levels


def _parts(source):
    """The kind of a source, and the path or the name behind its colon, "" without."""
    kind, _, place = source.partition(":")
    if kind not in _SOURCES:
        return _FALLBACK, source
    return kind, pathlib.Path(place).expanduser() if _SOURCES[kind].path and place else place
