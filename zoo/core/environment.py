"""What must hold where the zoo is imported; this module is the first, and its import checks it."""

import importlib.util
import json
import os
import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]  # where the zoo and the packages beside it are
_BESIDE = ("samplers", "layers")


def check() -> None:
    """Refuses to go on where another package would be taken for one of the zoo's, or without TF.

    Raises:
      ImportError: naming what hides a package, or the backend of Keras.
    """
    for name in _BESIDE:
        found = _place_of(name)
        if found and found != _ROOT / name:
            raise ImportError(
                f"{name}: {str(found)!r} hides the package of this name that belongs to the zoo; "
                "rename it, or keep its folder off Python's path.",
                name=name,
            )
    if (backend := _backend()) != "tensorflow":
        raise ImportError(
            f"KERAS_BACKEND must be 'tensorflow', in which the zoo is written; it was {backend!r}."
        )


def _place_of(name):
    """The folder or file that an import of a package would find, None if there is none."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    # A folder without __init__.py has no origin.
    found = pathlib.Path(spec.origin or next(iter(spec.submodule_search_locations)))
    return (found.parent if found.name == "__init__.py" else found).resolve()


def _backend():
    """What Keras runs on, or will when it is imported."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    folder = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        return json.loads((folder / "keras.json").read_text()).get("backend", "tensorflow")
    except (OSError, ValueError):
        return "tensorflow"  # its default


check()
