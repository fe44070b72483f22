"""The manifest of a work directory: which version wrote it, and the files that its run left."""

import json
import pathlib

from zoo.core import version
from zoo.core.checks import UsageError
from zoo.core.files import write_json
from zoo.runs.locks import locked_manifest

MANIFEST = "manifest.json"
CONFIG = "config.json"


def create(workdir: str | pathlib.Path, **notes) -> None:
    """Begins the manifest of a new run, which lists nothing yet.

    Args:
      workdir: of the run.
      **notes: what else it holds, as `note` takes it.
    """
    _write(workdir, {"version": version.VERSION, "files": []} | notes)


def claim(workdir: str | pathlib.Path, name: str) -> pathlib.Path:
    """Enters a file or folder in the manifest: whoever writes one into a work directory calls this.

    What is listed there belongs to the run, and goes when another run takes its place. Several
    programs can call this at once.

    Args:
      workdir: of a run.
      name: of the file or folder in it.

    Returns:
      Its path, to be written.

    Raises:
      UsageError: if `workdir` holds no run, or something of that name that no run wrote.
    """
    path = pathlib.Path(workdir) / _plain(name)
    if name not in names(workdir):
        with locked_manifest(workdir):
            check_free(workdir, [name])
            found = _read(workdir)
            _write(workdir, found | {"files": [*found["files"], name]})
    return path


def release(workdir: str | pathlib.Path, name: str) -> None:
    """Takes a name out of the manifest, once its file is gone."""
    with locked_manifest(workdir):
        found = _read(workdir)
        files = [listed for listed in found["files"] if listed != name]
        _write(workdir, found | {"files": files})


def note(workdir: str | pathlib.Path, **notes) -> None:
    """Writes into the manifest what else is known of the run, such as that it is finished.

    Args:
      workdir: of the run.
      **notes: values that JSON can hold.
    """
    with locked_manifest(workdir):
        _write(workdir, _read(workdir) | notes)


def noted(workdir: str | pathlib.Path, name: str, default=None):
    """Returns what `note` wrote of that name, or else the default."""
    return _read(workdir).get(name, default)


def check_free(workdir: str | pathlib.Path, wanted: list[str]) -> None:
    """Refuses names of files that are in a work directory, but of no run.

    Args:
      workdir: a folder, which may be missing or hold no run.
      wanted: names of files and folders that are to be written there.

    Raises:
      UsageError: naming one that is there and that the manifest does not list.
    """
    listed = names(workdir) if holds_run(workdir) else []
    for name in wanted:
        if name not in listed and (pathlib.Path(workdir) / name).exists():
            raise UsageError(
                f"workdir: {str(workdir)!r} holds {name!r}, which no run wrote; move it away, or "
                "give another directory."
            )


def names(workdir: str | pathlib.Path) -> list[str]:
    """Names of the files and folders that a run wrote, in the order in which it began them.

    Raises:
      UsageError: if `workdir` holds no run, or one of another version.
    """
    return _read(workdir)["files"]


def holds_run(workdir: str | pathlib.Path) -> bool:
    """Returns whether a folder is the work directory of a run.

    Raises:
      UsageError: if it is one of version 0.1.0, whose runs had no manifest.
    """
    if (pathlib.Path(workdir) / MANIFEST).is_file():
        return True
    try:
        config = json.loads((pathlib.Path(workdir) / CONFIG).read_text())
    except (OSError, ValueError):
        return False
    if isinstance(config, dict) and {"data", "model", "optimizer", "evaluation"} <= set(config):
        version.check(None, f"workdir: {str(workdir)!r}")
    return False


def _read(workdir):
    path = pathlib.Path(workdir) / MANIFEST
    if not holds_run(workdir):
        raise UsageError(f"workdir: there is no run in {str(workdir)!r}; train makes one.")
    try:
        found = json.loads(path.read_text())
        written_by, listed = found["version"], [_plain(name) for name in found["files"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"workdir: {str(path)!r} is no manifest: {error}.") from None
    version.check(written_by, f"workdir: {str(workdir)!r}")
    return found | {"files": listed}


def _write(workdir, found):
    write_json(pathlib.Path(workdir) / MANIFEST, found)


def _plain(name):
    """A name, once it is known to lead nowhere else."""
    nowhere = ("", "..", MANIFEST)
    if not isinstance(name, str) or pathlib.PurePath(name).name != name or name in nowhere:
        raise ValueError(f"{name!r} is not the name of a file")
    return name
