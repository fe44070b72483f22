"""The base of every model: the training step, and how it is fitted and evaluated."""

import copy
from typing import NamedTuple

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core import recovering, renamed, version
from zoo.core.callbacks import (
    ChainHealth,
    EpochSetter,
    RecoveryPoint,
    ScorePreparation,
    StopOnDivergence,
)
from zoo.core.checks import UsageError, check_seed
from zoo.core.dtypes import density_dtype
from zoo.core.fields import Field
from zoo.core.means import Means
from zoo.core.optimizers import GroupOptimizer
from zoo.core.pipeline import as_batch, as_pipeline, epoch_variable, pipeline_errors
from zoo.core.preparation import PreparesForScores
from zoo.core.replicas import is_multi_worker


class TrainableModel(PreparesForScores, keras.Model):
    """Anything that can be fitted; owns the training step, Monte Carlo EM on one tape.

    A method defines `amortise`, `sample_latents`, `objectives` and `parameter_groups`; where state
    changes outside the optimizer, also `state_statistics` and `next_state`.

    Every random number is a function of (`seed`, role, training step, replica), so the same seed on
    the same machine, compiled the same way, gives the same weights.

    Args:
      fields: those of a batch that the model takes, by name.
      seed: int, of the model's training and of its default draws.
    """

    def __init__(self, *, fields: dict[str, Field], seed: int = 0, **kwargs):
        version.check(kwargs.pop("zoo_version", version.VERSION), "model")
        renamed.check_arguments(kwargs)
        super().__init__(dtype=density_dtype(kwargs.pop("dtype", None)), **kwargs)
        check_seed(seed=seed)
        self._fields = dict(fields)
        self.seed = seed
        self.compile_chains = True
        # The optimizer's own count stands still between accumulated gradients.
        self.training_step = self.add_weight(
            name="training_step",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of a batch that the model takes, by name."""
        return self._fields

    def __getattr__(self, name):
        renamed.check_attribute(name)
        return self.__getattribute__(name)  # whose error says what is missing, also in a property

    # What a method says of itself.

    @property
    def parameter_groups(self) -> dict[str, list]:
        """Which objective each trainable variable descends: disjoint and complete."""
        raise NotImplementedError

    def preprocess(self, batch: dict, seed: Seed) -> dict:
        """The batch that the model explains: binary images are drawn, grey levels get their noise.

        Args:
          batch: `x` as pixels in [0, 1], and other fields.
          seed: int or int32[2].

        Returns:
          The batch, in which fields are replaced.
        """
        return batch

    def amortise(self, batch: dict, seed: Seed) -> dict:
        """Encoder outputs and draws that carry a gradient; {} if there are none."""
        return {}

    def sample_latents(self, batch: dict, context: dict, seed: Seed):
        """The E half, off the tape: latents for the M half, and diagnostics of shape [B]."""
        return None, {}

    def objectives(self, batch: dict, context: dict, latents, seed: Seed) -> tuple[dict, dict]:
        """The M half: a scalar that descends for each parameter group, and metrics to report."""
        raise NotImplementedError

    def state_statistics(self, batch: dict, latents, diagnostics: dict) -> dict[str, tf.Tensor]:
        """What this replica has to say on the state, leading axis the batch; see `next_state`."""
        return {}

    def next_state(self, statistics: dict[str, tf.Tensor]) -> list[tuple]:
        """(variable, new value) pairs, given the statistics of all replicas together."""
        return []

    def scheduled_state(self, step: tf.Tensor) -> list[tuple]:
        """(variable, new value) pairs that follow from the number of training steps alone."""
        return []

    # The training step.

    def train_step(self, data):
        """One step on a batch: draw latents, and let each parameter group descend its objective."""
        batch = as_batch(data)
        seed = self.seed_of("train", self.training_step.value)
        batch = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        with tf.GradientTape(persistent=True) as tape:
            context = self.amortise(batch, samplers.fold_in(seed, "amortise"))
            with tape.stop_recording():
                sample_latents = self.sample_latents
                if self._compiles_the_chain_alone:
                    sample_latents = tf.function(sample_latents, jit_compile=True, autograph=False)
                latents, diagnostics = sample_latents(
                    batch, context, samplers.fold_in(seed, "latents")
                )
            objectives, metrics = self.objectives(
                batch, context, latents, samplers.fold_in(seed, "objectives")
            )
            descended = {
                group: self._scaled(objectives[group] + _penalty(variables))
                for group, variables in self.parameter_groups.items()
            }
        gradients, variables = [], []
        for group, owned in self.parameter_groups.items():
            gradients += tape.gradient(descended[group], owned)
            variables += owned
        # Without this TensorFlow's graph optimizer lets variables be written before they are read.
        with tf.control_dependencies([*gradients, *metrics.values()]):
            self.optimizer.apply(gradients, variables)
        self.training_step.assign_add(1)
        self._write_state(self.state_statistics(batch, latents, diagnostics))
        metrics |= {f"{group}_objective": value for group, value in objectives.items()}
        return self._track(metrics | diagnostics)

    def seed_of(self, role: str, counter: tf.Tensor) -> tf.Tensor:
        """The seed of a step, by its role and number, on this replica."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return samplers.fold_in(self.seed, role, counter, replica)

    def share_done(self, num_steps: int) -> tf.Tensor:
        """How much of so many training steps is done, from 0 to 1; 1 where there are none."""
        if not num_steps:
            return tf.constant(1.0, self.dtype)
        return tf.minimum(tf.cast(self.training_step, self.dtype) / num_steps, 1.0)

    @property
    def _compiles_the_chain_alone(self):
        # A whole step that XLA compiles cannot read the variables of several replicas.
        return self.compile_chains and not self.jit_compile

    def _scaled(self, objective):
        # Gradients are summed over replicas.
        return objective / self.distribute_strategy.num_replicas_in_sync

    def _write_state(self, statistics):
        if self.distribute_strategy.num_replicas_in_sync > 1 and statistics:
            replica = tf.distribute.get_replica_context()
            if is_multi_worker(self.distribute_strategy):
                with tf.device("CPU:0"):  # workers cannot gather what has no place
                    statistics = {k: tf.identity(v) for k, v in statistics.items()}
            statistics = {k: replica.all_gather(v, axis=0) for k, v in statistics.items()}
        scheduled = self.scheduled_state(self.training_step)
        for variable, value in [*self.next_state(statistics), *scheduled]:
            variable.assign(value)

    def _track(self, reported):
        """The means so far of what a step reports, which are the metrics of Keras."""
        means = self._untracked.means
        means.update_state(reported)
        results = {name: means.result()[name] for name in reported}
        if is_multi_worker(self.distribute_strategy):
            # Keras takes the mean over an axis that a number has not.
            return {name: tf.reshape(value, [1]) for name, value in results.items()}
        return results

    def num_reported(self, name: str) -> tf.Tensor:
        """How many examples the mean of what is reported as `name` is over, on this replica."""
        return self._untracked.means.count_of(name)

    # Keras.

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """As `keras.Model.compile`, without a loss: the method brings its own objectives.

        Args:
          optimizer: one Keras optimizer (or its name) for all parameter groups, or a dictionary of
            one for each group.
          jit_compile: whether XLA compiles the training step, and chains in evaluation and
            sampling. "auto" means True. Under a `tf.distribute` strategy of several replicas the
            chain alone is compiled, not the step.
          **kwargs: `run_eagerly`, `steps_per_execution`.
        """
        if refused := set(kwargs) - {"run_eagerly", "steps_per_execution"}:
            raise UsageError(
                f"compile does not take {', '.join(sorted(refused))}: a method brings its own "
                "objectives and metrics."
            )
        self._check_parameter_groups()
        if isinstance(optimizer, dict):
            optimizer = self._group_optimizer(optimizer)
        self.compile_chains = bool(jit_compile) and not kwargs.get("run_eagerly", False)
        replicas = self.distribute_strategy.num_replicas_in_sync
        super().compile(optimizer, jit_compile=self.compile_chains and replicas == 1, **kwargs)
        self._compile_arguments = {"jit_compile": jit_compile, **kwargs}
        # Made now, so that the first step is traced once.
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)
            self._untracked = _Untracked(Means())

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = self.optimizer
        if isinstance(optimizer, GroupOptimizer):
            optimizer = optimizer.optimizers  # a loaded model's variables have paths of their own
        optimizer = keras.saving.serialize_keras_object(optimizer)
        return {"optimizer": optimizer, **self._compile_arguments}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self):
        return [self._untracked.means] if self.compiled else []

    def _get_metrics_result_or_logs(self, logs):
        # Not the logs, which Keras averages over replicas whatever the examples of each.
        means = self.get_metrics_result()
        return {name: means[name] for name in logs}

    def fit(self, x=None, y=None, *, batch_size=None, validation_data=None, **kwargs):
        """As `keras.Model.fit`: arrays, or a `tf.data` pipeline of arrays, pairs or dictionaries.

        Arrays become a pipeline whose order is a function of (model seed, epoch); a last batch
        that is not full is left out of the epoch.

        Raises:
          UsageError: for images of a wrong shape, not finite or outside [0, 1], for no full batch,
            for examples without an `index` where the method keeps chains, or for `sample_weight`
            and `class_weight`, which no method here defines.
          FloatingPointError: after a step whose objective was not finite.
        """
        for name in ("sample_weight", "class_weight", "validation_split"):
            if kwargs.pop(name, None) is not None:
                raise UsageError(f"{name} is not supported; leave it out.")
        shuffle = kwargs.pop("shuffle", True)
        seed = self.seed if shuffle else None
        train = as_pipeline(x, y, self.fields, batch_size, seed=seed, training=True)
        self._check_split(train)
        validation_size = kwargs.pop("validation_batch_size", None) or batch_size
        if validation_data is not None:
            x, y, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            if weights is not None:
                raise UsageError("validation_data must be x or (x, y), without sample weights.")
            size = None if isinstance(x, tf.data.Dataset) else validation_size
            validation_data = as_pipeline(x, y, self.fields, size)
        given = kwargs.pop("callbacks", None) or []
        recovery = next((c for c in given if isinstance(c, RecoveryPoint)), None)
        ours = [EpochSetter(), StopOnDivergence(recovery), ChainHealth(), ScorePreparation()]
        kwargs["callbacks"] = [*ours, *given]
        try:
            with pipeline_errors(self.fields), recovering.fit(self, train, kwargs) as kwargs:
                return super().fit(
                    train,
                    validation_data=validation_data,
                    shuffle=False,  # the pipeline has its own order
                    **kwargs,
                )
        finally:
            # Outside a fit every pipeline runs in the order of epoch 0.
            epoch_variable().assign(0)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """As `keras.Model.evaluate`, on what `fit` takes. Pure: nothing is adapted or written."""
        if not kwargs.get("_use_cached_eval_dataset"):  # as Keras does in every epoch of a fit
            x = as_pipeline(x, y, self.fields, batch_size)
            self.prepare_for_scores(self.score_seed)
        with pipeline_errors(self.fields):
            return super().evaluate(x, batch_size=None, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """As `keras.Model.predict`, on what `fit` takes: reconstruction means, [N, ...event]."""
        x = as_pipeline(x, None, self.fields, batch_size)
        with pipeline_errors(self.fields):
            return super().predict(x, **kwargs)

    def get_config(self):
        config = {"name": self.name, "seed": self.seed, "dtype": self.dtype}
        return config | {"zoo_version": version.VERSION}

    @classmethod
    def from_config(cls, config):
        version.check(config.get("zoo_version"), f"model {config.get('name')!r}")
        # A copy, since Keras takes the entries out as it reads them.
        return cls(**keras.saving.deserialize_keras_object(copy.deepcopy(config)))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: all is built already, and Keras takes no dictionaries of several workers."""

    def _check_split(self, train):
        replicas = self.distribute_strategy.num_replicas_in_sync
        size = as_batch(train.element_spec)["x"].shape[0]
        if replicas > 1 and (size is None or size % replicas):
            raise UsageError(
                f"batch_size must be a multiple of the {replicas} replicas in every batch "
                f"(drop_remainder=True); it was {size}."
            )

    def _group_optimizer(self, optimizers):
        groups = self.parameter_groups
        if set(optimizers) != set(groups):
            raise UsageError(
                f"optimizer must have one for each of the parameter groups {sorted(groups)}; "
                f"it had {sorted(optimizers)}."
            )
        paths = {name: [v.path for v in owned] for name, owned in groups.items()}
        return GroupOptimizer(optimizers, paths)

    def _check_parameter_groups(self):
        owned = [v.path for group in self.parameter_groups.values() for v in group]
        if sorted(owned) != sorted(v.path for v in self.trainable_variables):
            raise ValueError("parameter_groups must hold every trainable variable exactly once.")


class _Untracked(NamedTuple):
    """Means of what steps report, where Keras does not take them for weights."""

    means: Means


def _penalty(variables):
    """The Keras regularisers of these variables."""
    penalties = [v.regularizer(v) for v in variables if v.regularizer is not None]
    return tf.add_n(penalties) if penalties else 0.0
