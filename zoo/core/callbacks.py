"""The callbacks that every `fit` of the zoo runs."""

import math
import pathlib

import keras
from absl import logging

from zoo.core.checks import UsageError
from zoo.core.pipeline import epoch_variable


class EpochSetter(keras.callbacks.Callback):
    """Tells the data pipelines which epoch it is, since their order is a function of it."""

    def on_epoch_begin(self, epoch, logs=None):
        epoch_variable().assign(epoch)


class RecoveryPoint(keras.callbacks.Callback):
    """The base of callbacks that write what a training can go on from.

    Attributes:
      batches_done: how many batches of its first epoch a `fit` passes over.
      others: the other callbacks of the same `fit`.
    """

    batches_done = 0
    others = ()

    def metrics_so_far(self) -> dict:
        """What the batches that are passed over had reported, by name."""
        return {}

    @property
    def last(self) -> str | pathlib.Path | None:
        """The newest of what it has written, if there is any."""
        raise NotImplementedError


class StopOnDivergence(keras.callbacks.Callback):
    """Ends a run at the first step whose objective is not finite, before later callbacks save it.

    Args:
      recovery: what this run can go on from, if it has that.

    Raises:
      FloatingPointError: naming the step, what is not finite, and the last good checkpoint.
    """

    async_safe = True  # Keras then runs it beside the training steps, which need not wait

    def __init__(self, recovery: RecoveryPoint | None = None):
        super().__init__()
        self.recovery = recovery

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.found = epoch, {}  # the metrics that are not finite, by step
        self.first_step = int(self.model.training_step.numpy())

    def on_train_batch_end(self, batch, logs=None):
        # Of several steps in several threads the first need not come first.
        if broken := _not_finite(logs):
            self.found[self.first_step + batch + 1] = broken
            self.model.stop_training = True

    def on_test_begin(self, logs=None):
        self._stop()  # before time is spent on a validation

    def on_epoch_end(self, epoch, logs=None):
        if not self.found and (broken := _not_finite(logs)):  # of the validation
            self.found[int(self.model.training_step.numpy())] = broken
        self._stop()

    def _stop(self):
        if self.found:
            step, broken = min(self.found.items())
            raise FloatingPointError(
                f"training diverged in epoch {self.epoch + 1}, step {step}: {', '.join(broken)} "
                "not finite; a smaller learning rate or step size may help; "
                f"{where_to_go_on(self.recovery)}."
            )


class ScorePreparation(keras.callbacks.Callback):
    """Lets the model estimate what its scores need, before every validation and in the end."""

    def on_test_begin(self, logs=None):
        prepared = self.model.prepare_for_scores(self.model.score_seed)
        for variable, value in self.model.prepared_state(prepared):
            variable.assign(value)

    def on_train_end(self, logs=None):
        self.on_test_begin()


class ChainHealth(keras.callbacks.Callback):
    """Warns, once in a run for each cause, when the chains of an epoch hardly moved or diverged.

    The first of several epochs is let pass, since encoder and step sizes are then still far off.

    Args:
      min_accept_rate: below this mean acceptance probability chains are stuck.
      max_energy_error: above this mean, in nats, of trajectories that do not diverge, step sizes
        are too large.
      max_divergences: above this mean number of an example's trajectories in a training step,
        trajectories diverge.
    """

    def __init__(
        self,
        min_accept_rate: float = 0.1,
        max_energy_error: float = 10.0,
        max_divergences: float = 0.02,
    ):
        super().__init__()
        self.min_accept_rate, self.max_energy_error = min_accept_rate, max_energy_error
        self.max_divergences = max_divergences
        self.told = set()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0 and self.params["epochs"] > 1:
            return
        names = ("accept_rate", "energy_error", "divergences")
        accept_rate, error, divergences = ((logs or {}).get(name) for name in names)
        if accept_rate is not None and accept_rate < self.min_accept_rate:
            self._warn("accept_rate", f"epoch {epoch + 1}: accept_rate is {accept_rate:.3g}")
        if error is not None and error > self.max_energy_error:
            self._warn("energy_error", f"epoch {epoch + 1}: energy_error is {error:.3g} nats")
        if divergences is not None and divergences > self.max_divergences:
            self._warn("divergences", f"epoch {epoch + 1}: divergences are {divergences:.3g}")

    def _warn(self, cause, observed):
        if cause not in self.told:
            self.told.add(cause)
            logging.warning("%s; %s", observed, _ADVICE[cause])


_ADVICE = {
    "accept_rate": (
        "chains hardly move: give smaller step sizes (step_size, min_step_size, max_step_size), "
        "or a higher target_accept."
    ),
    "energy_error": (
        "trajectories are far off: give smaller step sizes (step_size, min_step_size, "
        "max_step_size), or a lower learning rate."
    ),
    "divergences": (
        "trajectories diverge: give smaller step sizes (step_size, min_step_size, max_step_size), "
        "or a lower learning rate."
    ),
}


def _not_finite(logs):
    return [name for name, value in (logs or {}).items() if not math.isfinite(value)]


def as_callbacks(given) -> list[keras.callbacks.Callback]:
    """Makes a list of what a user gives to `fit`.

    Args:
      given: None, a callback, or several.

    Raises:
      UsageError: naming what is no callback.
    """
    single = given is None or isinstance(given, keras.callbacks.Callback)
    try:
        callbacks = [given][given is None :] if single else list(given)
    except TypeError:
        callbacks = [given]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise UsageError(
                f"callbacks must be objects of keras.callbacks; one was {callback!r:.80}."
            )
    return callbacks


def where_to_go_on(recovery: RecoveryPoint | None) -> str:
    """Where to go on after a failure, as part of a sentence."""
    last = recovery and recovery.last
    return f"the last good checkpoint is {str(last)!r}" if last else "there is no checkpoint yet"
