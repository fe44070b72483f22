"""Files that are there whole or not at all, whatever ends the program or fills the disk."""

import contextlib
import json
import os
import pathlib

from zoo.core.checks import UsageError

PARTIAL = ".partial-"  # what the names of unfinished files begin with


@contextlib.contextmanager
def atomic_write(path: pathlib.Path):
    """A path to write to, of the same ending; what is there in the end replaces `path`.

    Its directory is made if missing. Of several processes that write at once the last one counts.

    Raises:
      UsageError: naming `path` and the reason, if it cannot be written; an older file stays.
    """
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _to_disk(partial)
        os.replace(partial, path)
        _to_disk(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {str(path)!r}: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_json(path: pathlib.Path, values: dict) -> None:
    """Writes a dictionary as indented JSON."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n")


def _to_disk(path):
    """Leaves nothing of a file, or of a directory's entries, in memory alone."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
