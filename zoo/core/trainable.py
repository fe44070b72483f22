"""The base of every model: the training step, and what a method says of itself."""

import copy

import keras
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core import renamed, version
from zoo.core.checks import check_seed
from zoo.core.dtypes import density_dtype
from zoo.core.executions import train_function
from zoo.core.fields import Field, check_batch
from zoo.core.fitting import FittedModel
from zoo.core.optimizers import scale_losses
from zoo.core.preparation import PreparesForScores
from zoo.core.replicas import is_multi_worker


class TrainableModel(PreparesForScores, FittedModel):
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

    @property
    def needs_start(self) -> bool:
        """Whether `start_on` is to be called before the first step; of most models it is not."""
        return False

    def start_on(self, batch: dict) -> None:
        """Sets weights by the first batch of the first fit, of all replicas, pixels in [0, 1]."""

    def preprocess(self, batch: dict, seed: Seed) -> dict:
        """The batch that the model explains: binary images are drawn, grey levels get their noise.

        Args:
          batch: `x` as pixels in [0, 1], and other fields.
          seed: int or int32[2].

        Returns:
          The batch, in which fields are replaced.
        """
        return batch

    def without_answers(self, batch: dict) -> dict:
        """The batch as validation and scores show it: what the model is to tell is not in it."""
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

    def make_train_function(self, force: bool = False) -> None:
        """As Keras, but that several steps of an execution may be one program (`executions`)."""
        is_ours = self.train_function is self._made[1]
        if self.train_function is None or force or (is_ours and self._programs != self._made[0]):
            super().make_train_function(force=True)
            if self._programs.num_steps > 1:
                self.train_function = train_function(self, self._programs, self.train_function)
            self._made = self._programs, self.train_function

    @property
    def _has_users_step(self):
        """Whether a user has written what a step or an execution does, which may be anything."""
        own = (("train_step", TrainableModel), ("track", FittedModel))
        is_changed = (
            getattr(getattr(self, name), "__func__", None) is not getattr(owner, name)
            for name, owner in own
        )
        return any(is_changed) or self.train_function not in (None, self._made[1])

    def train_step(self, data):
        """One step on a batch: draw latents, and let each parameter group descend its objective."""
        self._assert_compile_called("train_step")
        share = self.share(data, self.fields)
        seed = self.seed_of("train", self.training_step.value)
        batch = self.preprocess(share.batch, samplers.fold_in(seed, "observe"))
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
            # Read before they are written: what is told is what this step used.
            metrics = {name: tf.convert_to_tensor(value) for name, value in metrics.items()}
            # Gradients are summed over replicas.
            descended = {
                group: share.weight * (objectives[group] + _penalty(variables))
                for group, variables in self.parameter_groups.items()
            }
            descended = scale_losses(self.optimizer, descended)
        gradients, variables = [], []
        for group, owned in self.parameter_groups.items():
            gradients += tape.gradient(descended[group], owned)
            variables += owned
        # Without this TensorFlow's graph optimizer lets variables be written before they are read.
        with tf.control_dependencies([*gradients, *metrics.values()]):
            self.optimizer.apply(gradients, variables)
        self.training_step.assign_add(1)
        statistics = self.state_statistics(batch, latents, diagnostics)
        self._write_state(share.counted(statistics))
        metrics |= {f"{group}_objective": value for group, value in objectives.items()}
        return self.track(share.counted(metrics | diagnostics), share.num_examples)

    def _batch(self, x):
        """What a user asks of: checked examples, as tensors."""
        batch = check_batch(self.inference_fields, x)
        return {name: tf.constant(value) for name, value in batch.items()}

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

    def get_config(self):
        config = {"name": self.name, "seed": self.seed, "dtype": self.dtype}
        return config | {"zoo_version": version.VERSION}

    @classmethod
    def from_config(cls, config):
        version.check(config.get("zoo_version"), f"model {config.get('name')!r}")
        # A copy, since Keras takes the entries out as it reads them.
        return cls(**keras.saving.deserialize_keras_object(copy.deepcopy(config)))


def _penalty(variables):
    """The Keras regularisers of these variables."""
    penalties = [v.regularizer(v) for v in variables if v.regularizer is not None]
    return tf.add_n(penalties) if penalties else 0.0
