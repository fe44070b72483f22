"""What users of Keras call of every model: `fit` and its kind, checked by the model's fields."""

import contextlib
from collections.abc import Iterable

import keras
import tensorflow as tf

from zoo.core import recovering
from zoo.core.batches import as_batch, check_no_weights, checked_batch
from zoo.core.callbacks import (
    ChainHealth,
    EpochSetter,
    RecoveryPoint,
    ScorePreparation,
    StopOnDivergence,
    as_callbacks,
)
from zoo.core.checks import UsageError, check_count, check_count_or_0
from zoo.core.executions import Programs, programs_of, steps_of_epoch, with_one_iterator
from zoo.core.failures import warned_of_failed
from zoo.core.fields import Field, inference_fields
from zoo.core.given import Given, first_of, split_arrays
from zoo.core.kept import KeptModel
from zoo.core.means import Means, in_order
from zoo.core.optimizers import (
    check_replicas,
    group_optimizer,
    plain_optimizers,
    with_scaled_loss,
)
from zoo.core.pipeline import epoch_variable
from zoo.core.replicas import Share, is_multi_worker, share_of, takes_several_steps


class FittedModel(KeptModel):
    """A Keras model whose batches are dictionaries of checked fields; `TrainableModel` is its heir.

    Whatever way a batch comes, by `fit`, `evaluate`, `predict`, `train_on_batch` and its kind or an
    own loop over `train_step`, one place checks it (`zoo.core.batches`).

    Logs have a `loss`, which is lower for better models and has no factor of a warm-up in it: minus
    the `bound`, in nats per example; of methods without a density `mse`, the mean squared error of
    a pixel. It is what callbacks of Keras monitor by default, `val_loss` as well. In training it is
    left out where the step does not know the bound.
    """

    # What a step reports that selects models, and by which factor it becomes a loss.
    selected_by = ("bound", -1.0)
    is_in_fit = False
    _programs, _made = Programs(), (None, None)  # asked for by a fit, and made, with the function

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """As `keras.Model.compile`, without a loss: the method brings its own objectives.

        Args:
          optimizer: one Keras optimizer (or its name) for all parameter groups, or a dictionary of
            one for each group.
          jit_compile: whether XLA compiles the training step, and chains in evaluation and
            sampling. "auto" means True. Under a `tf.distribute` strategy of several replicas the
            chain alone is compiled, not the step.
          **kwargs: `run_eagerly`, `steps_per_execution`.

        Raises:
          UsageError: for what only a loss of Keras would need, or optimizers that are not those of
            the parameter groups.
        """
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        if refused := set(kwargs) - {"run_eagerly", "steps_per_execution"}:
            raise UsageError(
                f"compile does not take {', '.join(sorted(refused))}: a method brings its own "
                "objectives and metrics."
            )
        steps = kwargs.get("steps_per_execution", 1)
        check_count(steps_per_execution=steps)
        if not isinstance(jit_compile, bool) and jit_compile != "auto":
            raise UsageError(f"jit_compile must be True, False or 'auto'; it was {jit_compile!r}.")
        strategy = self.distribute_strategy
        replicas = strategy.num_replicas_in_sync
        if not strategy.extended.variable_created_in_scope(self.training_step.value):
            raise UsageError(
                "compile must be called in the scope that the model was made in; it was called in "
                "another strategy's."
            )
        if steps > 1 and not takes_several_steps(strategy):
            raise UsageError(
                f"steps_per_execution must be 1 on the {replicas} replicas of a process; it was "
                f"{steps}."
            )
        self._check_parameter_groups()
        if self._computes_in_float16:
            optimizer = with_scaled_loss(optimizer)  # small gradients would be 0
        with strategy.scope():  # where an optimizer that is named is made
            optimizer = group_optimizer(optimizer, self.parameter_groups)
        self.compile_chains = bool(jit_compile) and not kwargs.get("run_eagerly", False)
        super().compile(optimizer, jit_compile=self.compile_chains and replicas == 1, **kwargs)
        self._compile_arguments = {"jit_compile": jit_compile, **kwargs}
        check_replicas(self.optimizer, strategy)
        # Made now, so that the first step is traced once.
        with strategy.scope():
            self.optimizer.build(self.trainable_variables)
            self._untracked = _Untracked(Means())

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = keras.saving.serialize_keras_object(plain_optimizers(self.optimizer))
        return {"optimizer": optimizer, **self._compile_arguments}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self):
        return [self._untracked.means] if self.compiled else []

    @property
    def metrics_names(self):
        """Of what `evaluate` or `fit` returned last, in the order of its list: the loss first."""
        return self._means.names_reported() if self.compiled else []

    @property
    def _means(self):
        if not self.compiled:
            raise UsageError("compile must be called before a model is trained or evaluated.")
        return self._untracked.means

    def _get_metrics_result_or_logs(self, logs):
        tracked = self._means.result()
        if set(logs) <= set(tracked) and not self._means.num_examples:
            raise UsageError("x must give at least one batch in every epoch; it ran out of them.")
        # Others are of a step that a user has written; of no example there is no mean.
        none = set(tracked) - set(self._means.names_reported())
        return {name: tracked.get(name, v) for name, v in logs.items() if name not in none}

    def _flatten_metrics_in_order(self, logs):
        values = [logs[name] for name in in_order(logs)]
        return values[0] if len(values) == 1 else values

    def track(self, reported: dict[str, tf.Tensor], num_examples: tf.Tensor) -> dict:
        """Adds what a step reports to the means so far.

        Args:
          reported: by name, a number that is a mean over the examples, or one for each of them.
          num_examples: how many this replica has.

        Returns:
          The means so far over the examples of all replicas, with the `loss`: the metrics of Keras.
        """
        name, factor = self.selected_by
        if name in reported:
            reported = {"loss": factor * reported[name]} | reported
        self._means.update_state(reported, num_examples)
        return self.means_so_far(reported)

    def means_so_far(self, names: Iterable[str]) -> dict[str, tf.Tensor]:
        """The means of what was reported by these names, as `track` returns them."""
        results = self._means.result_of_all()
        results = {name: results[name] for name in names}
        if is_multi_worker(self.distribute_strategy):
            # Keras takes the mean over an axis that a number has not.
            return {name: tf.reshape(value, [1]) for name, value in results.items()}
        return results

    def num_reported(self, name: str) -> tf.Tensor:
        """How many examples the mean of what is reported as `name` is over, on this replica."""
        return self._means.count_of(name)

    # Data.

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        **kwargs,
    ):
        """As `keras.Model.fit`.

        Arrays become a pipeline whose order is a function of (model seed, epoch); a last batch
        that is not full is left out of the epoch. Pipelines, `keras.utils.PyDataset` and generators
        give batches of their own, in their own order: arrays, pairs or dictionaries.

        Raises:
          UsageError: for images of a wrong shape, not finite or outside [0, 1], for no full batch,
            for data that may not end without `steps_per_epoch`, for examples without an `index`
            where the method keeps chains, for weights of examples or classes, which no method here
            defines, or for what is no callback.
          FloatingPointError: after a step whose objective was not finite.
        """
        check_no_weights(sample_weight=sample_weight, class_weight=class_weight)
        check_count_or_0(epochs=epochs, initial_epoch=initial_epoch)
        _check_steps(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if not isinstance(validation_freq, list | tuple | set):
            check_count(validation_freq=validation_freq)
        callbacks = as_callbacks(callbacks)
        if validation_split and validation_data is None:
            x, validation_data = split_arrays(x, y, validation_split)
            y = None
        given, seed = Given(self.fields), self.seed if shuffle else None
        steps = {"steps_per_epoch": steps_per_epoch}
        train = given.batches(x, y, batch_size, seed=seed, training=True, **steps)
        if validation_data is not None:
            steps = {"validation_steps": validation_steps}
            size = validation_batch_size or batch_size
            validation_data = given.validation(validation_data, size, **steps)
        recovery = next((c for c in callbacks if isinstance(c, RecoveryPoint)), None)
        ours = [EpochSetter(), StopOnDivergence(recovery), ChainHealth(), ScorePreparation()]
        arguments = {
            "epochs": epochs,
            "verbose": verbose,
            "callbacks": [*ours, *callbacks],
            "initial_epoch": initial_epoch,
            "steps_per_epoch": steps_per_epoch or steps_of_epoch(self, train),
        }
        if self.needs_start and epochs > initial_epoch:
            with given.errors():
                first, train = first_of(train)
                self.start_on(first)
        try:
            self.is_in_fit = True
            self._programs = Programs()
            if not self._has_users_step:
                self._programs = programs_of(self, train, steps_per_epoch)
                if not (steps_per_epoch or (recovery and recovery.batches_done)):
                    train = with_one_iterator(self, train, self._programs)
            with given.errors(), recovering.fit(self, train, arguments) as arguments:
                return super().fit(
                    train,
                    validation_data=validation_data,
                    shuffle=False,  # the data have their own order
                    validation_steps=validation_steps,
                    validation_freq=validation_freq,
                    **arguments,
                    **kwargs,
                )
        finally:
            self.is_in_fit = False
            # Outside a fit every pipeline runs in the order of epoch 0.
            epoch_variable().assign(0)

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        **kwargs,
    ):
        """As `keras.Model.evaluate`, on what `fit` takes. Pure: nothing is adapted or written.

        A callback may call it in a fit, whose means over the epoch stay as they were.
        """
        check_no_weights(sample_weight=sample_weight)
        _check_steps(steps=steps)
        given, kept = Given(self.fields), contextlib.nullcontext()
        if not kwargs.get("_use_cached_eval_dataset"):  # as Keras does in every epoch of a fit
            x = given.batches(x, y, batch_size, steps=steps)
            self.prepare_for_scores(self.score_seed)
            if self.is_in_fit:
                kept = self._means.kept()
        with given.errors(), kept:
            return super().evaluate(x, verbose=verbose, steps=steps, **kwargs)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, **kwargs):
        """As `keras.Model.predict`, on what `fit` takes: reconstruction means, [N, ...event]."""
        _check_steps(steps=steps)
        given = Given(self.fields)
        x = given.batches(x, None, batch_size, steps=steps)
        with given.errors():
            predicted = super().predict(x, verbose=verbose, steps=steps, **kwargs)
        return warned_of_failed("predict", predicted)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """As `keras.Model.train_on_batch`, on a batch that is checked as `fit` checks it."""
        check_no_weights(sample_weight=sample_weight, class_weight=class_weight)
        batch = checked_batch((x, y), self.fields)
        return super().train_on_batch(batch, return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """As `keras.Model.test_on_batch`, on a batch that is checked as `evaluate` checks it."""
        check_no_weights(sample_weight=sample_weight)
        batch = checked_batch((x, y), self.inference_fields)
        return super().test_on_batch(batch, return_dict=return_dict)

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`, on a batch that is checked as `predict` checks it."""
        batch = checked_batch(x, self.inference_fields)
        # Of several replicas each was given the whole batch.
        return warned_of_failed(
            "predict_on_batch", super().predict_on_batch(batch)[: len(batch["x"])]
        )

    @property
    def inference_fields(self) -> dict[str, Field]:
        """The fields of a batch that is not for training, by name."""
        return inference_fields(self.fields)

    def share(self, data, fields: dict[str, Field]) -> Share:
        """What this replica has of a batch that a step is given, checked."""
        batch, strategy = as_batch(data), self.distribute_strategy
        # A replica may have no example; a batch may not.
        if strategy.num_replicas_in_sync == 1 or not tf.executing_eagerly() or len(batch["x"]):
            batch = checked_batch(batch, fields)
        return share_of(batch, strategy)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: all is built already, and Keras takes no dictionaries of several workers."""

    @property
    def _computes_in_float16(self):
        # Networks that Keras loads are of its global policy; their layers are as they were saved.
        layers = (layer for layer in self._flatten_layers() if layer._trainable_variables)
        return any(layer.compute_dtype == "float16" for layer in layers)

    def _check_parameter_groups(self):
        owned = [v.path for group in self.parameter_groups.values() for v in group]
        if sorted(owned) != sorted(v.path for v in self.trainable_variables):
            raise ValueError("parameter_groups must hold every trainable variable exactly once.")


def _check_steps(**steps):
    """Refuses numbers of steps that Keras cannot count to; None stands for all."""
    check_count(**{name: value for name, value in steps.items() if value is not None})


class _Untracked:
    """Means of what steps report, where Keras does not take them for weights."""

    def __init__(self, means: Means):
        self.means = means
