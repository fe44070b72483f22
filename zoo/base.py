"""The two base classes: what can be fitted and sampled, and what has latents to infer."""

import copy

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.callbacks import EpochSetter, StopOnDivergence
from zoo.checks import UsageError, check_count, check_images, check_shape, check_visible
from zoo.data.pipeline import as_batch, as_pipeline, epoch_variable, pipeline_errors
from zoo.program import program

tfd = tfp.distributions


class GenerativeModel(keras.Model):
    """Anything that can be fitted and sampled; owns the training step, Monte Carlo EM on one tape.

    A method defines `amortise`, `sample_latents`, `objectives` and `parameter_groups`; where state
    changes outside the optimizer, also `state_statistics` and `next_state`.

    Every random number is a function of (`seed`, role, optimizer iteration, replica), so the same
    seed on the same machine, compiled the same way, gives the same weights.

    Args:
      event_shape: shape of one observation.
      seed: int, of the model's training and of its default draws.
    """

    metric_names: tuple[str, ...] = ()

    def __init__(self, *, event_shape, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        samplers.as_seed(seed)
        self.event_shape = tuple(event_shape)
        self.seed = seed
        self.compile_chains = True

    # What a method says of itself.

    @property
    def parameter_groups(self) -> dict[str, list]:
        """Which objective each trainable variable descends: disjoint and complete."""
        raise NotImplementedError

    def observe(self, x: tf.Tensor, seed: Seed) -> tf.Tensor:
        """The observation that the model explains, given pixels in [0, 1]; same shape."""
        return x

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

    def sample(self, num_samples: int, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Draws from the model: `x` and its expectation `mean`, each [num_samples, ...event]."""
        raise NotImplementedError

    def signatures(self) -> dict[str, tuple]:
        """The endpoints of an export, by name: a function, and the `TensorSpec`s of its inputs."""
        raise NotImplementedError

    # The training step.

    def train_step(self, data):
        """One step on a batch: draw latents, and let each parameter group descend its objective."""
        batch = as_batch(data)
        seed = self.seed_of("train", self.optimizer.iterations.value)
        batch["x"] = self.observe(batch["x"], samplers.fold_in(seed, "observe"))
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
        self.optimizer.apply(gradients, variables)
        self._write_state(self.state_statistics(batch, latents, diagnostics))
        metrics |= {f"{group}_objective": value for group, value in objectives.items()}
        return self._track(metrics | diagnostics)

    def seed_of(self, role: str, counter: tf.Tensor) -> tf.Tensor:
        """The seed of a step, by its role and number, on this replica."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return samplers.fold_in(self.seed, role, counter, replica)

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
            statistics = {k: replica.all_gather(v, axis=0) for k, v in statistics.items()}
        for variable, value in self.next_state(statistics):
            variable.assign(value)

    def _track(self, metrics):
        for name, value in metrics.items():
            self.trackers[name].update_state(value)
        return {name: self.trackers[name].result() for name in metrics}

    # Keras.

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """As `keras.Model.compile`, without a loss: the method brings its own objectives.

        Args:
          optimizer: one Keras optimizer (or its name) for all parameter groups.
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
        self.compile_chains = bool(jit_compile) and not kwargs.get("run_eagerly", False)
        replicas = self.distribute_strategy.num_replicas_in_sync
        super().compile(optimizer, jit_compile=self.compile_chains and replicas == 1, **kwargs)
        self._compile_arguments = {"jit_compile": jit_compile, **kwargs}
        # Built now, so that the first step is traced once.
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)
            names = [f"{group}_objective" for group in self.parameter_groups]
            self.trackers = {n: keras.metrics.Mean(n) for n in (*names, *self.metric_names)}

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = keras.saving.serialize_keras_object(self.optimizer)
        return {"optimizer": optimizer, **self._compile_arguments}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self):
        return list(self.trackers.values()) if self.compiled else []

    def fit(self, x=None, y=None, *, batch_size=None, validation_data=None, **kwargs):
        """As `keras.Model.fit`: arrays, or a `tf.data` pipeline of arrays, pairs or dictionaries.

        Arrays become a pipeline whose order is a function of (model seed, epoch); a last batch
        that is not full is left out of the epoch.

        Raises:
          UsageError: for images of a wrong shape, not finite or outside [0, 1], for no full batch,
            or for `sample_weight` and `class_weight`, which no method here defines.
          FloatingPointError: after an epoch whose objective was not finite.
        """
        for name in ("sample_weight", "class_weight", "validation_split"):
            if kwargs.pop(name, None) is not None:
                raise UsageError(f"{name} is not supported; leave it out.")
        shuffle = kwargs.pop("shuffle", True)
        train = as_pipeline(
            x, y, self.event_shape, batch_size, seed=self.seed if shuffle else None, training=True
        )
        self._check_split(train)
        validation_size = kwargs.pop("validation_batch_size", None) or batch_size
        if validation_data is not None:
            x, y, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            if weights is not None:
                raise UsageError("validation_data must be x or (x, y), without sample weights.")
            size = None if isinstance(x, tf.data.Dataset) else validation_size
            validation_data = as_pipeline(x, y, self.event_shape, size)
        callbacks = [EpochSetter(), StopOnDivergence(), *(kwargs.pop("callbacks", None) or [])]
        try:
            with pipeline_errors():
                return super().fit(
                    train,
                    validation_data=validation_data,
                    callbacks=callbacks,
                    shuffle=False,  # the pipeline has its own order
                    **kwargs,
                )
        finally:
            # Outside a fit every pipeline runs in the order of epoch 0.
            epoch_variable().assign(0)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """As `keras.Model.evaluate`, on what `fit` takes. Pure: nothing is adapted or written."""
        if not kwargs.get("_use_cached_eval_dataset"):  # as Keras does in every epoch of a fit
            x = as_pipeline(x, y, self.event_shape, batch_size)
        with pipeline_errors():
            return super().evaluate(x, batch_size=None, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """As `keras.Model.predict`, on what `fit` takes: reconstruction means, [N, ...event]."""
        x = as_pipeline(x, None, self.event_shape, batch_size)
        with pipeline_errors():
            return super().predict(x, **kwargs)

    def get_config(self):
        return {"name": self.name, "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        # A copy, since Keras takes the entries out as it reads them.
        return cls(**keras.saving.deserialize_keras_object(copy.deepcopy(config)))

    def _check_split(self, train):
        replicas = self.distribute_strategy.num_replicas_in_sync
        size = as_batch(train.element_spec)["x"].shape[0]
        if replicas > 1 and (size is None or size % replicas):
            raise UsageError(
                f"batch_size must be a multiple of the {replicas} replicas in every batch "
                f"(drop_remainder=True); it was {size}."
            )

    def _check_parameter_groups(self):
        owned = [v.path for group in self.parameter_groups.values() for v in group]
        if sorted(owned) != sorted(v.path for v in self.trainable_variables):
            raise ValueError("parameter_groups must hold every trainable variable exactly once.")


def _penalty(variables):
    """The Keras regularisers of these variables."""
    penalties = [v.regularizer(v) for v in variables if v.regularizer is not None]
    return tf.add_n(penalties) if penalties else 0.0


class LatentVariableModel(GenerativeModel):
    """A model with latents: `prior`, `likelihood(z)`, and a way to infer z given x.

    From these come `log_joint`, `reconstruct` and `inpaint`. All sums run over the event, so that
    densities have the shape [S, B]: samples first, then the batch.
    """

    metric_names = ("bound", "mse")

    @property
    def prior(self) -> tfd.Distribution:
        """p(z), event shape that of one example's latents."""
        raise NotImplementedError

    def likelihood(self, z: tf.Tensor) -> tfd.Independent:
        """p(x given z) in pixels in [0, 1], batch shape [S, B]."""
        raise NotImplementedError

    def log_weights(self, x: tf.Tensor, num_samples: int, seed: Seed) -> tf.Tensor:
        """Log p(x, z) - log q(z given x) in nats at draws of the model's own proposal, [S, B]."""
        raise NotImplementedError

    def log_joint(self, x: tf.Tensor, z: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """Log p(x, z) in nats, [S, B]; with a mask, log p(z) + log p(visible pixels given z)."""
        pixels = self.likelihood(z)
        if visible is None:
            return self.prior.log_prob(z) + pixels.log_prob(x)
        log_prob = tf.where(visible, pixels.distribution.log_prob(x), 0.0)
        event_axes = tf.range(-len(self.event_shape), 0)
        return self.prior.log_prob(z) + tf.reduce_sum(log_prob, event_axes)

    def infer(
        self, x, num_samples: int, seed: Seed, visible=None, num_steps: int | tf.Tensor = 100
    ):
        """Latents of p(z given x), [S, B, ...], and diagnostics.

        Here: Hamiltonian Monte Carlo from the prior, on the visible pixels when a mask is given;
        `num_steps` transitions of 10 leapfrog steps, of which the first half tunes the step size.
        """
        z = self.prior.sample([num_samples, tf.shape(x)[0]], samplers.fold_in(seed, "prior"))
        result = samplers.hmc(
            lambda z: self.log_joint(x, z, visible),
            z,
            num_steps=num_steps,
            step_size=0.1,
            num_leapfrog_steps=10,
            num_adaptation_steps=num_steps // 2,
            seed=samplers.fold_in(seed, "hmc"),
        )
        return result.state, {"accept_rate": tf.reduce_mean(result.accept_prob, 0)}

    # What a user asks.

    def sample(self, num_samples: int, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Draws from the model.

        Returns:
          `x`, the draw, and `mean`, its expectation given the latents: [num_samples, ...event].
        """
        check_count(num_samples=num_samples)
        return _to_numpy(self._sample(num_samples, samplers.as_seed(seed)))

    def reconstruct(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Infers the latents of images and decodes them.

        Args:
          x: [B, ...event], pixels in [0, 1].
          seed: int or int32[2].

        Returns:
          `x`, a draw of p(x given z), and `mean`, its expectation: [B, ...event].
        """
        x = check_images(x, self.event_shape)
        return _to_numpy(self._reconstruct(tf.constant(x), samplers.as_seed(seed)))

    def inpaint(self, x, visible, seed: Seed = 0, num_steps: int = 100) -> dict[str, np.ndarray]:
        """Completes images from their visible pixels.

        Args:
          x: [B, ...event], pixels in [0, 1]; what is hidden is not looked at.
          visible: bool, like `x` or like one image; True = seen.
          seed: int or int32[2].
          num_steps: transitions of the chain.

        Returns:
          `x` and `mean` as `reconstruct`, in which the visible pixels are those given.
        """
        check_count(num_steps=num_steps)
        x = check_shape(x, self.event_shape)
        visible = check_visible(visible, self.event_shape, len(x))
        x = check_images(np.where(visible, x, 0), self.event_shape)
        return _to_numpy(
            self._inpaint(
                tf.constant(x), tf.constant(visible), samplers.as_seed(seed), tf.constant(num_steps)
            )
        )

    def signatures(self):
        x = tf.TensorSpec([None, *self.event_shape], tf.float32, "x")
        visible = tf.TensorSpec([None, *self.event_shape], tf.bool, "visible")
        seed = tf.TensorSpec([2], tf.int32, "seed")
        num_samples = tf.TensorSpec([], tf.int32, "num_samples")
        num_steps = tf.TensorSpec([], tf.int32, "num_steps")
        return {
            "sample": (self._endpoint("_sample"), [num_samples, seed]),
            "reconstruct": (self._endpoint("_reconstruct"), [x, seed]),
            "inpaint": (self._endpoint("_inpaint"), [x, visible, seed, num_steps]),
        }

    def _endpoint(self, name):
        # The method itself: a serving binary may lack XLA.
        return getattr(type(self), name).method.__get__(self)

    def call(self, x):
        """The reconstruction mean, [B, ...event], at a fixed seed."""
        return self._endpoint("_reconstruct")(x, samplers.fold_in(self.seed, "call"))["mean"]

    def predict_step(self, data):
        return self(as_batch(data)["x"])

    def test_step(self, data):
        batch = as_batch(data)
        # The tracker counts the examples so far, so that seeds need no state of their own.
        seed = self.seed_of("test", self.trackers["bound"].count.value)
        x = self.observe(batch["x"], samplers.fold_in(seed, "observe"))
        bound = self.log_weights(x, 1, samplers.fold_in(seed, "bound"))[0]
        z, _ = self.infer(x, 1, samplers.fold_in(seed, "infer"))
        error = tf.square(self.likelihood(z).mean()[0] - batch["x"])
        event_axes = tf.range(1, len(self.event_shape) + 1)
        return self._track({"bound": bound, "mse": tf.reduce_mean(error, event_axes)})

    @program
    def _sample(self, num_samples, seed):
        z = self.prior.sample([num_samples, 1], samplers.fold_in(seed, "prior"))
        return self._decoded(z, seed, sample_axis=1)

    @program
    def _reconstruct(self, x, seed):
        observed = self.observe(x, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        return self._decoded(z, seed)

    @program
    def _inpaint(self, x, visible, seed, num_steps):
        # What is hidden must not even enter a gradient.
        x = tf.where(visible, x, 0.0)
        observed = self.observe(x, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"), visible, num_steps)
        completed = self._decoded(z, seed)
        return {name: tf.where(visible, x, value) for name, value in completed.items()}

    def _decoded(self, z, seed, sample_axis=0):
        pixels = self.likelihood(z)
        draw = pixels.sample(seed=samplers.fold_in(seed, "draw"))
        return {
            "x": tf.squeeze(draw, sample_axis),
            "mean": tf.squeeze(pixels.mean(), sample_axis),
        }


def _to_numpy(outputs):
    return {name: value.numpy() for name, value in outputs.items()}
