"""A fit that can be ended anywhere, and goes on where it was, within an epoch, too."""

import contextlib

import keras

from zoo.core import signals
from zoo.core.callbacks import RecoveryPoint
from zoo.core.checks import UsageError
from zoo.core.pipeline import num_batches


@contextlib.contextmanager
def fit(model: keras.Model, train, arguments: dict):
    """A context in which a fit leaves signals to its `RecoveryPoint`, where it has one.

    Args:
      model: that is fitted.
      train: its data.
      arguments: of `fit`, by name, with all callbacks.

    Yields:
      The arguments. The recovery point comes last among the callbacks, so that it keeps what the
      others have made of an epoch; and they hear nothing of batches that were done before.

    Raises:
      UsageError: for executions that do not end where an earlier fit was interrupted.
    """
    recovery = next((c for c in arguments["callbacks"] if isinstance(c, RecoveryPoint)), None)
    if recovery is None:
        yield arguments
        return
    recovery.others = [c for c in arguments["callbacks"] if c is not recovery]
    callbacks = [*recovery.others, recovery]
    if recovery.batches_done % model.steps_per_execution:
        raise UsageError(
            f"steps_per_execution must divide the {recovery.batches_done} batches that were done "
            f"of an epoch; it was {model.steps_per_execution}."
        )
    if recovery.batches_done:
        verbose = arguments.get("verbose", "auto")
        callbacks = _GoingOn(
            callbacks,
            recovery.batches_done,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            epochs=arguments.get("epochs", 1),
            verbose=verbose,
            steps=arguments["steps_per_epoch"] or num_batches(train),
        )
    with signals.deferred():
        yield arguments | {"callbacks": callbacks}


class _GoingOn(keras.callbacks.CallbackList):
    """Callbacks of a fit whose first epoch passes over the batches that were done before."""

    def __init__(self, callbacks, batches_done, *, model, **kwargs):
        super().__init__(callbacks, model=model, **kwargs)
        (self._recovery,) = (c for c in callbacks if isinstance(c, RecoveryPoint))
        self._fitted, self._left = model, batches_done

    def on_train_begin(self, logs=None):
        self._train_function = self._fitted.train_function
        self._fitted.train_function = self._pass_over
        super().on_train_begin(logs)

    def on_train_batch_begin(self, batch, logs=None):
        if self._left <= 0:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        if self._left <= 0 and self._fitted.train_function is self._train_function:
            super().on_train_batch_end(batch, logs)
        if self._left <= 0:
            self._fitted.train_function = self._train_function

    def _pass_over(self, iterator):
        """Takes from the pipeline what a step would; the metrics so far in place of its own."""
        try:
            for _ in range(self._fitted.steps_per_execution):
                next(iterator)
        except BaseException:
            self._left, self._fitted.train_function = 0, self._train_function
            raise
        self._left -= self._fitted.steps_per_execution
        return self._recovery.metrics_so_far()
