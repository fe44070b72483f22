"""Checkpoints from which a run that was killed at any moment goes on, bit for bit."""

import pathlib
import sys
import zipfile

import keras
import numpy as np

from zoo.core import signals, version
from zoo.core.callbacks import RecoveryPoint, where_to_go_on
from zoo.core.checks import UsageError, check_count, check_same_shapes
from zoo.core.files import PARTIAL, atomic_write
from zoo.core.replicas import is_chief, is_multi_worker
from zoo.runs import callback_memory
from zoo.runs.strategies import broadcast, broadcast_arrays
from zoo.runs.variable_paths import variable_paths

_KEPT = 2
_VERSION = "zoo_version"  # the names of what is no variable
_PLACE = "zoo_place"


class Checkpoints(RecoveryPoint):
    """Writes after epochs all that training goes on from: the last two such files are kept.

    Every random number of a training step is a function of (seed, step), so that this is all:

        checkpoints = zoo.Checkpoints("checkpoints")
        first = checkpoints.restore(model)
        model.fit(x, epochs=100, initial_epoch=first, callbacks=[checkpoints])

    A file holds every variable of the model (chains, particles and step sizes, too) and of its
    optimizer by its path, the version of the zoo, and what the other callbacks of the `fit`
    remember, such as the best score so far: those attributes that are plain values, change during a
    `fit` and are no arguments of the constructor. It gets its name when it is whole and on the
    disk, so that there is always one to go on from. Of several workers the first alone reads and
    writes, and tells the others.

    Ctrl-C and SIGTERM end a `fit` between two steps, with the last file at its place in the epoch;
    of several workers they lose what was done of the epoch.

    Args:
      directory: where the files are; it is made if missing.
      save_freq: epochs from one file to the next; there always is one of the last epoch.

    Raises:
      UsageError: if a file cannot be written; those before stay. For a `save_freq` below 1.
      FloatingPointError: instead of writing a variable that is not finite.
      Interrupted: a `KeyboardInterrupt`, after such a signal.
    """

    def __init__(self, directory: str, save_freq: int = 1):
        super().__init__()
        check_count(save_freq=save_freq)
        self.save_freq = save_freq
        self.directory = pathlib.Path(directory)
        self._begun = False  # whether what is in the directory belongs to this run
        self._place: dict = {}  # where a fit goes on
        self._at_first: dict = {}  # what other callbacks held as it began

    def restore(self, model: keras.Model) -> int:
        """Sets a compiled model to where its training was when the last file was written.

        Args:
          model: built as the one that was trained.

        Returns:
          The number of epochs done, `initial_epoch` of a `fit` that goes on; 0 without checkpoints.
          If that epoch was interrupted, the `fit` passes over the batches that were done.

        Raises:
          UsageError: if none of the files can be read, or the last is of another model, naming the
            first variable that differs, or of another version.
        """
        self._begun, strategy = True, model.distribute_strategy
        variables = variable_paths(model)
        read = self._read(variables) if is_chief(strategy) else None
        done, arrays, place = read or (0, [variable.numpy() for variable in variables.values()], {})
        found, done = broadcast(
            strategy, [np.asarray(read is not None, np.int32), np.asarray(done)]
        )
        if found:
            received = broadcast(strategy, arrays)
            for variable, array in zip(variables.values(), received, strict=True):
                variable.assign(array)
            self._place = callback_memory.unpack(broadcast_arrays(strategy, place), _PLACE)
        self.batches_done = self._place.get("batches", 0)
        return int(done)

    def _read(self, variables):
        """Epochs done, the values of all variables then, and where exactly; None without a file."""
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
            place = {name: arrays.pop(name) for name in list(arrays) if name.startswith(_PLACE)}
            check_same_shapes(f"{told} is of another model or optimizer", arrays, variables)
            done = int(path.stem.removeprefix("epoch-"))
            return done, [arrays[name] for name in variables], place
        if found:
            raise UsageError(
                f"checkpoints: none in {str(self.directory)!r} can be read; remove it to start "
                "anew."
            )
        return None

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
        self._at_first = callback_memory.settings_of(self.others)
        if not self.batches_done:
            self._recall()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._num_batches = epoch, self.batches_done
        if self.batches_done:
            self._means.set_state(self._place["means"])
            self._recall()

    def metrics_so_far(self):
        found = self._means.result()
        return {name: found[name] for name in self._place["reported"]}

    def on_train_batch_begin(self, batch, logs=None):
        # Before a step and not behind it, where Keras might already run the next one.
        if signals.asked_to_end():
            self._end(batch, self._means.get_state())
        self._num_batches = batch + self.model.steps_per_execution

    def on_test_begin(self, logs=None):
        self._trained = self._means.get_state()  # which the validation resets

    def on_test_batch_begin(self, batch, logs=None):
        if signals.asked_to_end():
            self._end(self._num_batches, self._trained)

    def on_epoch_end(self, epoch, logs=None):
        self.batches_done, self._place = 0, {}
        ends = signals.asked_to_end() or self.model.stop_training
        if ends or (epoch + 1) % self.save_freq == 0 or epoch + 1 == self.params["epochs"]:
            self._write(epoch)
        if signals.asked_to_end():
            signals.end(
                f"training had done {epoch + 1} epochs, and goes on from {str(self.last)!r}"
            )

    @property
    def _means(self):
        (means,) = self.model.metrics
        return means

    def _recall(self):
        callback_memory.recall(self.others, self._place.get("callbacks", {}))

    def _end(self, num_batches, means):
        """Writes a file at a place in the epoch, and ends the training."""
        told = f"training had done {self._epoch} epochs"
        if is_multi_worker(self.model.distribute_strategy):  # which are not all at this place
            signals.end(f"{told}, and goes on from there; start all workers again")
        names, counts = means["names"], means["counts"]
        reported = [name for name, count in zip(names, counts, strict=False) if count]
        self._write(self._epoch, batches=num_batches, means=means, reported=reported)
        told = f"{told} and {num_batches} batches" if num_batches else told
        signals.end(f"{told}, and goes on from {str(self.last)!r}")

    def _write(self, epoch, batches=None, **place):
        """Writes a file at the end of an epoch, or within it, after so many batches."""
        arrays = {name: v.numpy() for name, v in variable_paths(self.model).items()}
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FloatingPointError(
                    f"training diverged in epoch {epoch + 1}: {name} is not finite; "
                    f"{where_to_go_on(self)}."
                )
        if not is_chief(self.model.distribute_strategy):
            return
        num_epochs = epoch + 1 if batches is None else epoch
        place["batches"] = batches or 0
        place["callbacks"] = callback_memory.memory_of(self.others, self._at_first)
        arrays |= callback_memory.pack(place, _PLACE) | {_VERSION: np.array(version.VERSION)}
        with atomic_write(self.directory / f"epoch-{num_epochs:06d}.npz") as partial:
            np.savez(partial, **arrays)
        for path in self._paths()[_KEPT:]:
            path.unlink()

    def _paths(self):
        """The newest first."""
        return sorted(self.directory.glob("epoch-*.npz"), reverse=True)
