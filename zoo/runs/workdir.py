"""The work directory of a run: how it begins, goes on after an interruption, ends and is read."""

import json
import os
import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence

import keras
import ml_collections

from zoo.core.checks import UsageError
from zoo.core.files import PARTIAL, atomic_write, write_json
from zoo.core.registry import get_method
from zoo.runs import manifest
from zoo.runs.config import check_config
from zoo.runs.own_modules import import_of_run, imported

CHECKPOINTS = "checkpoints"
CHUNKS = "chunks"  # of an evaluation that is not finished
METRICS = "metrics.csv"
MODEL = "model.keras"


def make_workdir(path: str | pathlib.Path, *, name: str = "workdir") -> pathlib.Path:
    """The directory of the flag `name`, made if missing.

    Returns:
      Its path.

    Raises:
      UsageError: if it cannot be made or written to.
    """
    workdir = pathlib.Path(path)
    if os.path.lexists(workdir) and not workdir.is_dir():
        raise UsageError(
            f"{name} must be a folder, or new; {str(path)!r} is a file, or a broken link."
        )
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise UsageError(f"{name}: cannot write to {str(path)!r}: {error.strerror}.") from None
    return workdir


def is_finished(path: str | pathlib.Path, config: ml_collections.ConfigDict) -> bool:
    """Whether a directory holds a finished run of this config; an unfinished one can go on.

    Args:
      path: of the directory, which may be missing.
      config: of the run, with every default.

    Raises:
      UsageError: if it holds a run of another config, naming the first key that differs, a run
        of another version, or a finished one whose model is gone.
    """
    if not manifest.holds_run(path):
        return False
    state = _state(pathlib.Path(path))
    if state != _BROKEN:
        _check_same(load_config(path), config, path, state)
    lacks_model = MODEL in manifest.names(path) and not (pathlib.Path(path) / MODEL).is_file()
    if state == _FINISHED and lacks_model:
        raise UsageError(
            f"workdir: {str(path)!r} holds a finished run whose {MODEL} is gone; give another "
            "directory, or --overwrite."
        )
    return state == _FINISHED


def start_run(
    path: str | pathlib.Path,
    config: ml_collections.ConfigDict,
    *,
    files: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Makes the work directory of a new run, or leaves an unfinished one of the same config.

    A run is unfinished until `finish_run`. Of a run that is overwritten everything is removed that
    its manifest lists, and nothing else.

    Args:
      path: of the directory, made if missing.
      config: of the run, with every default.
      files: names of what the run will write beside the config and the checkpoints.
      overwrite: whether to remove a run that is there.

    Raises:
      UsageError: if the directory cannot be written to, holds files of these names that no run
        wrote, a run of another version, a finished run, or an unfinished one of another config.
    """
    workdir = make_workdir(path)
    manifest.check_free(workdir, [manifest.CONFIG, CHECKPOINTS, CHUNKS, METRICS, *files])
    if not overwrite and is_finished(workdir, config):
        raise UsageError(
            f"workdir: {str(workdir)!r} holds a finished run; give another directory, or "
            "--overwrite."
        )
    goes_on = not overwrite and manifest.holds_run(workdir) and _state(workdir) == _UNFINISHED
    if not goes_on and manifest.holds_run(workdir):
        _check_own(workdir)
        _remove_run(workdir)
    for left in workdir.glob(PARTIAL + "*"):  # what a killed program had not finished writing
        _remove(left)
    if not goes_on:
        manifest.create(workdir, finished=False, imports=imported())
        write_json(manifest.claim(workdir, manifest.CONFIG), config.to_dict())
        manifest.claim(workdir, CHECKPOINTS, "epoch-*.npz").mkdir()


def finish_run(path: str | pathlib.Path) -> None:
    """Removes what a run goes on from, once all of its files are written."""
    manifest.note(path, finished=True)
    forget(path, CHECKPOINTS)
    forget(path, CHUNKS)


def forget(path: str | pathlib.Path, name: str) -> None:
    """Removes a file or folder of a run, if it is there; a user's own files in it stay."""
    if name not in manifest.names(path):
        return
    others = manifest.others_in(path, name)
    for file in (pathlib.Path(path) / name).rglob("*") if others else ():
        if file not in others and not file.is_dir():
            file.unlink()
    if not others:
        _remove(pathlib.Path(path) / name)
    manifest.release(path, name)


def continue_metrics(path: str | pathlib.Path, num_epochs: int) -> pathlib.Path:
    """Leaves the rows of the first epochs in the table of metrics, behind which a run goes on.

    Returns:
      The path of the table, which need not be there yet.
    """
    metrics = manifest.claim(path, METRICS)
    if metrics.exists():
        lines = metrics.read_text().splitlines(keepends=True)
        with atomic_write(metrics) as partial:
            partial.write_text("".join(lines[: 1 + num_epochs]) if num_epochs else "")
    return metrics


def load_config(path: str | pathlib.Path) -> ml_collections.ConfigDict:
    """The config that a run saved.

    Raises:
      UsageError: if there is none, or it is broken.
    """
    import_of_run(path)
    file = pathlib.Path(path) / manifest.CONFIG
    try:
        return check_config(ml_collections.ConfigDict(json.loads(file.read_text())))
    except OSError as error:
        raise UsageError(f"workdir: cannot read {str(file)!r}: {error.strerror}.") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"workdir: {str(file)!r} is not a config: {error}") from None


def load(workdir: str | pathlib.Path) -> keras.Model:
    """The model that a run saved, compiled as it was.

    Args:
      workdir: the work directory of a run.

    Returns:
      The model.

    Raises:
      UsageError: if there is none, it is broken, or another version wrote it.
    """
    path, config = pathlib.Path(workdir) / MODEL, load_config(workdir)
    if not path.is_file():
        raise UsageError(f"workdir: {str(path)!r} is missing; did the training finish?")
    if not zipfile.is_zipfile(path):  # of which Keras would say that it is not there
        raise UsageError(f"workdir: {str(path)!r} cannot be loaded: it is not whole.")
    get_method(config.model.name)  # whose module registers it
    try:
        return keras.models.load_model(path)
    except UsageError:
        raise
    except Exception as error:  # a broken file can make Keras, HDF5 and zip raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"workdir: {str(path)!r} cannot be loaded: {reason}") from error


_FINISHED, _UNFINISHED = "a finished run", "an unfinished run"
_BROKEN = "a run that was killed before it had begun, or while it was removed"


def _state(workdir):
    """What the run in a work directory is."""
    # A manifest that does not say so is of a run that had checkpoints until it was finished.
    unknown = manifest.CONFIG in manifest.names(workdir) and not (workdir / CHECKPOINTS).is_dir()
    if manifest.noted(workdir, "finished", unknown):
        return _FINISHED
    return _UNFINISHED if (workdir / CHECKPOINTS).is_dir() else _BROKEN


def _check_same(old, new, workdir, state):
    old, new = (_flat(json.loads(json.dumps(config.to_dict()))) for config in (old, new))
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            raise UsageError(
                f"workdir: {str(workdir)!r} holds {state} whose {key} is {old.get(key)!r}, not "
                f"{new.get(key)!r}; give another directory, or --overwrite."
            )


def _check_own(workdir):
    """Refuses to remove the folders of a run with what somebody else has put there."""
    for name in manifest.names(workdir):
        for path in manifest.others_in(workdir, name):
            raise UsageError(
                f"workdir: {str(workdir)!r} holds {str(path.relative_to(workdir))!r}, which no run "
                "wrote; move it away, or give another directory."
            )


def _flat(values, prefix=""):
    """Nested dictionaries as one, of keys with dots."""
    flat = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat


def _remove_run(workdir):
    """Removes what the manifest lists: first what a run would go on from, and the manifest last."""
    listed = manifest.names(workdir)
    manifest.note(workdir, finished=False)  # from now on, whatever is left of it
    for name in sorted(listed, key=lambda name: name != CHECKPOINTS):
        _remove(workdir / name)
    (workdir / manifest.MANIFEST).unlink()


def _remove(path):
    """Removes a file or folder, if it is there; no part of a folder keeps its name meanwhile."""
    if path.is_dir() and not path.is_symlink():
        gone = path.with_name(PARTIAL + path.name)
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        path.unlink(missing_ok=True)
