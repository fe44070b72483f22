"""Checkpoints from which a run that was killed at any moment goes on, bit for bit."""

import pathlib
import sys
import zipfile

import keras
import numpy as np

from zoo.core.callbacks import RecoveryPoint, where_to_go_on
from zoo.core.checks import UsageError
from zoo.core.files import PARTIAL, written_whole
from zoo.core.replicas import is_chief
from zoo.runs.strategies import broadcast

_KEPT = 2


class Checkpoints(RecoveryPoint):
    """Writes after every epoch all that training goes on from: the last two such files are kept.

    Every random number of a training step is a function of (seed, step), so that this is all:

        checkpoints = zoo.Checkpoints("checkpoints")
        first = checkpoints.restore(model)
        model.fit(x, epochs=100, initial_epoch=first, callbacks=[checkpoints])

    A file holds every variable of the model (chains, particles and step sizes, too) and of its
    optimizer. It gets its name when it is whole and on the disk, so that there is always one to go
    on from. The state of other callbacks is not in it. Put this one last. Of several workers the
    first alone reads and writes, and tells the others.

    Args:
      directory: where they are, made if missing.

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

        Returns:
          The number of epochs done, `initial_epoch` of a `fit` that goes on; 0 without checkpoints.

        Raises:
          UsageError: if none of the files can be read, or they are of another model.
        """
        self._begun, strategy = True, model.distribute_strategy
        done, arrays = self._read(model) if is_chief(strategy) else (0, _values(model))
        (done,) = broadcast(strategy, [np.asarray(done)])
        if done:
            for variable, array in zip(_variables(model), broadcast(strategy, arrays), strict=True):
                variable.assign(array)
        return int(done)

    def _read(self, model):
        """The number of epochs done, and the values of all variables then."""
        found = self._paths()
        for path in self.directory.glob(PARTIAL + "*"):
            path.unlink()
        for path in found:
            try:
                with np.load(path) as file:
                    arrays = [file[name] for name in file.files]
            except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
                print(f"{str(path)!r} is damaged ({error}); not used.", file=sys.stderr)
                continue
            if [array.shape for array in arrays] != [v.shape for v in _variables(model)]:
                raise UsageError(f"checkpoints: {str(path)!r} is of another model or optimizer.")
            return int(path.stem.removeprefix("epoch-")), arrays
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
        arrays = _values(self.model)
        for variable, array in zip(_variables(self.model), arrays, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FloatingPointError(
                    f"training diverged in epoch {epoch + 1}: {variable.path} is not finite; "
                    f"{where_to_go_on(self)}."
                )
        if not is_chief(self.model.distribute_strategy):
            return
        with written_whole(self.directory / f"epoch-{epoch + 1:06d}.npz") as partial:
            np.savez(partial, *arrays)
        for path in self._paths()[_KEPT:]:
            path.unlink()

    def _paths(self):
        """The newest first."""
        return sorted(self.directory.glob("epoch-*.npz"), reverse=True)


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _values(model):
    return [variable.numpy() for variable in _variables(model)]
