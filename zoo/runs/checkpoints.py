"""Checkpoints from which a run that was killed at any moment goes on, bit for bit."""

import pathlib
import sys
import zipfile

import keras
import numpy as np

from zoo.core import version
from zoo.core.callbacks import RecoveryPoint, where_to_go_on
from zoo.core.checks import UsageError
from zoo.core.files import PARTIAL, atomic_write
from zoo.core.replicas import is_chief
from zoo.runs.strategies import broadcast
from zoo.runs.variable_paths import variable_paths

_KEPT = 2
_VERSION = "zoo_version"  # the name of what is no variable


class Checkpoints(RecoveryPoint):
    """Writes after every epoch all that training goes on from: the last two such files are kept.

    Every random number of a training step is a function of (seed, step), so that this is all:

        checkpoints = zoo.Checkpoints("checkpoints")
        first = checkpoints.restore(model)
        model.fit(x, epochs=100, initial_epoch=first, callbacks=[checkpoints])

    A file holds every variable of the model (chains, particles and step sizes, too) and of its
    optimizer by its path, and the version of the zoo. It gets its name when it is whole and on the
    disk, so that there is always one to go on from. The state of other callbacks is not in it. Put
    this one last. Of several workers the first alone reads and writes, and tells the others.

    Args:
      directory: where the files are; it is made if missing.

    Raises:
      UsageError: if a file cannot be written; those before stay.
      FloatingPointError: instead of writing a variable that is not finite.
    """

    def __init__(self, directory: str):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self._begun = False  # whether what is in the directory belongs to this run

    def restore(self, model: keras.Model) -> int:
        """Sets a compiled model to the last epoch that was written whole.

        Args:
          model: built as the one that was trained.

        Returns:
          The number of epochs done, `initial_epoch` of a `fit` that goes on; 0 without checkpoints.

        Raises:
          UsageError: if none of the files can be read, or the last is of another model, naming the
            first variable that differs, or of another version.
        """
        self._begun, strategy = True, model.distribute_strategy
        variables = variable_paths(model)
        if is_chief(strategy):
            done, arrays = self._read(variables)
        else:
            done, arrays = 0, [variable.numpy() for variable in variables.values()]
        (done,) = broadcast(strategy, [np.asarray(done)])
        if done:
            received = broadcast(strategy, arrays)
            for variable, array in zip(variables.values(), received, strict=True):
                variable.assign(array)
        return int(done)

    def _read(self, variables):
        """The number of epochs done, and the values of all variables then."""
        found = self._paths()
        for path in self.directory.glob(PARTIAL + "*"):
            path.unlink()
        for path in found:
            try:
                with np.load(path) as file:
                    arrays = {name: file[name] for name in file.files}
            except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
                print(f"{str(path)!r} is damaged ({error}); not used.", file=sys.stderr)
                continue
            written_by = arrays.pop(_VERSION, None)
            told = f"checkpoints: {str(path)!r}"
            version.check(None if written_by is None else str(written_by), told)
            _check_match(arrays, variables, told)
            return int(path.stem.removeprefix("epoch-")), [arrays[name] for name in variables]
        if found:
            raise UsageError(
                f"checkpoints: none in {str(self.directory)!r} can be read; remove it to start "
                "anew."
            )
        return 0, []

    @property
    def last(self) -> pathlib.Path | None:
        """The newest file, if there is one."""
        return next(iter(self._paths()), None)

    def on_train_begin(self, logs=None):
        if not self._begun and self.last:
            raise UsageError(
                f"checkpoints: {str(self.directory)!r} holds those of an earlier run; go on from "
                "them by restore(model), or give another directory."
            )
        self._begun = True

    def on_epoch_end(self, epoch, logs=None):
        arrays = {name: v.numpy() for name, v in variable_paths(self.model).items()}
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FloatingPointError(
                    f"training diverged in epoch {epoch + 1}: {name} is not finite; "
                    f"{where_to_go_on(self)}."
                )
        if not is_chief(self.model.distribute_strategy):
            return
        with atomic_write(self.directory / f"epoch-{epoch + 1:06d}.npz") as partial:
            np.savez(partial, **arrays, **{_VERSION: np.array(version.VERSION)})
        for path in self._paths()[_KEPT:]:
            path.unlink()

    def _paths(self):
        """The newest first."""
        return sorted(self.directory.glob("epoch-*.npz"), reverse=True)


def _check_match(arrays, variables, told):
    """Refuses a checkpoint of another model or optimizer, naming what differs."""
    for name in [*variables, *arrays]:
        if name not in arrays:
            raise UsageError(f"{told} is of another model or optimizer: it lacks {name!r}.")
        if name not in variables:
            raise UsageError(f"{told} is of another model or optimizer: it has {name!r}.")
        if arrays[name].shape != variables[name].shape:
            raise UsageError(
                f"{told} is of another model or optimizer: {name!r} has the shape "
                f"{list(arrays[name].shape)} there, and {list(variables[name].shape)} here."
            )
