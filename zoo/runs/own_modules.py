"""Modules of a user's own, whose methods programs train; a run remembers them."""

import importlib
import pathlib
import sys

from zoo.core.checks import UsageError
from zoo.runs import manifest, own_code

_imported: list[dict[str, str]] = []


def import_own(name: str) -> None:
    """Imports a module, which may register methods.

    Args:
      name: of a module that Python finds, from the current folder, too; or the path of its file.

    Raises:
      UsageError: if it cannot be imported.
    """
    folder = pathlib.Path.cwd()
    if name.endswith(".py"):
        path = pathlib.Path(name).resolve()
        if not path.is_file():
            raise UsageError(f"import: there is no file {name!r}.")
        name, folder = path.stem, path.parent
    elif "/" in name:
        raise UsageError(
            f"import must be a module's name, or the path of a .py file; it was {name!r}."
        )
    module = _import(name, folder)
    file = pathlib.Path(getattr(module, "__file__", None) or folder / name)
    if file.name == "__init__.py":
        file = file.parent
    root = file.resolve().parents[name.count(".")]
    if folder != root and name.count(".") == 0 and (folder / f"{name}.py").is_file():
        raise UsageError(f"import: {name!r} is the name of {str(file)!r}, too; rename your own.")
    found = {"module": name, "folder": str(root)}
    if found not in _imported:
        _imported.append(found)


def imported() -> list[dict[str, str]]:
    """What `import_own` has imported in this process, as `import_of_run` finds it again."""
    return list(_imported)


def import_of_run(workdir: str | pathlib.Path) -> None:
    """Imports what the run of a work directory was trained with.

    Raises:
      UsageError: if it is not found.
    """
    for found in manifest.noted(workdir, "imports", []):
        try:
            _import(found["module"], found["folder"])
        except UsageError as error:
            reason = str(error).removesuffix(".")
            raise UsageError(
                f"{reason}; the run in {str(workdir)!r} was trained with it, and --import=PATH "
                "tells where it is."
            ) from None


def _import(name, folder):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # behind all others, whose names it must not take
        importlib.invalidate_caches()
    with own_code.told(f"import: {name!r} cannot be imported", folder):
        return importlib.import_module(name)
