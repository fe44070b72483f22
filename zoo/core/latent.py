"""The base of models with latents: inference, completion and scores from a joint density."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core.annealing import Annealing, ImportanceSampling, log_mean_weight
from zoo.core.checks import UsageError, check_count, check_images, check_shape, check_visible
from zoo.core.compiled import program
from zoo.core.pipeline import as_batch
from zoo.core.trainable import GenerativeModel

tfd = tfp.distributions


class LatentVariableModel(GenerativeModel):
    """A model with latents: `prior`, `likelihood(z)`, and a way to infer z given x.

    From these come `log_joint`, `reconstruct`, `inpaint`, `encode` and `log_likelihood`. All sums
    run over the event, so that densities have the shape [S, B]: samples first, then the batch.
    """

    metric_names = ("bound", "mse")
    num_inpainting_steps = 100  # transitions of the chain that completes images, by default
    scoring: Annealing | ImportanceSampling = Annealing()  # what `log_likelihood` runs
    has_bound = True  # whether there are `log_weights`, whose mean is a bound on log p(x)

    @property
    def prior(self) -> tfd.Distribution:
        """p(z), event shape that of one example's latents."""
        raise NotImplementedError

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """q(z given x) of an encoder, a density that can score any z; batch shape [B].

        Raises:
          UsageError: by models that have none.
        """
        raise UsageError(
            f"model {self.name!r} has no encoder, hence no q(z given x); give start='prior'."
        )

    def likelihood(self, z: tf.Tensor) -> tfd.Independent:
        """p(x given z) in pixels in [0, 1], batch shape [S, B]."""
        raise NotImplementedError

    def bits_per_dim(self, log_likelihood: float) -> float | None:
        """A log-likelihood of an image, in nats, as bits per dimension; None if it has none."""
        return None

    def log_weights(self, x: tf.Tensor, num_samples: int, seed: Seed) -> tf.Tensor:
        """Log p(x, z) - log q(z given x) in nats at draws of the model's own proposal, [S, B]."""
        raise NotImplementedError

    def log_joint(self, x: tf.Tensor, z: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """Log p(x, z) in nats, [S, B]; with a mask, log p(z) + log p(visible pixels given z)."""
        if visible is None:
            return self.prior.log_prob(z) + self.likelihood(z).log_prob(x)
        return self.prior.log_prob(z) + self.log_prob_of_pixels(x, z, visible)

    def log_prob_of_pixels(self, x: tf.Tensor, z: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Log p(x given z) of the pixels where the mask is True, in nats, [S, B]."""
        log_prob = tf.where(mask, self.likelihood(z).distribution.log_prob(x), 0.0)
        return tf.reduce_sum(log_prob, tf.range(-len(self.event_shape), 0))

    def squared_error(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Of E[x given z], at z [1, B, ...], the mean over pixels in [0, 1]: [B]."""
        error = tf.square(self.likelihood(z).mean()[0] - x)
        return tf.reduce_mean(error, tf.range(1, len(self.event_shape) + 1))

    def prepare_scores(self, seed: Seed) -> dict[str, float]:
        """Estimates what densities need beforehand, such as log Z; returns it, to be reported."""
        return {}

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
        return result.state, chain_diagnostics(result)

    def encoding(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `encode` tells beside the draw, [B, ...] each."""
        return {}

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

    def inpaint(
        self, x, visible, seed: Seed = 0, num_steps: int | None = None
    ) -> dict[str, np.ndarray]:
        """Completes images from their visible pixels.

        Args:
          x: [B, ...event], pixels in [0, 1]; what is hidden is not looked at.
          visible: bool, like `x` or like one image; True = seen.
          seed: int or int32[2].
          num_steps: transitions of the chain; by default 100, or as many as the model infers with.

        Returns:
          `x` and `mean` as `reconstruct`, in which the visible pixels are those given.
        """
        num_steps = self.num_inpainting_steps if num_steps is None else num_steps
        check_count(num_steps=num_steps)
        x = check_shape(x, self.event_shape)
        visible = self.check_visible(visible, len(x))
        x = check_images(np.where(visible, x, 0), self.event_shape)
        return _to_numpy(
            self._inpaint(
                tf.constant(x),
                tf.constant(visible),
                samplers.as_seed(seed),
                tf.constant(num_steps, tf.int32),
            )
        )

    def check_visible(self, visible, batch: int) -> np.ndarray:
        """A mask as bool [B, ...event].

        Raises:
          UsageError: for what is none, or none that the model completes.
        """
        return check_visible(visible, self.event_shape, batch)

    def encode(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Infers the latents of images, as training does.

        Args:
          x: [B, ...event], pixels in [0, 1].
          seed: int or int32[2].

        Returns:
          `z`, a draw of the inference procedure, [B, ...]; and, by models with an encoder,
          `q_mean` and `q_stddev` of its q(z given x) (with two stochastic layers, those of the
          upper one are at the mean of the lower).
        """
        x = check_images(x, self.event_shape)
        return _to_numpy(self._encode(tf.constant(x), samplers.as_seed(seed)))

    def log_likelihood(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Estimates log p(x) of every image by annealed importance sampling.

        Of models with discrete latents by importance sampling.

        With the model's own protocol, `scoring`; `zoo.scores.log_likelihood` takes others, and
        many images.

        Args:
          x: [B, ...event], pixels in [0, 1].
          seed: int or int32[2], of the binarisation, too, where there is one.

        Returns:
          `log_likelihood` in nats and `stderr`, its Monte Carlo error over chains: [B].
        """
        x = check_images(x, self.event_shape)
        return _to_numpy(self._log_likelihood(tf.constant(x), samplers.as_seed(seed)))

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
            "encode": (self._endpoint("_encode"), [x, seed]),
            "log_likelihood": (self._endpoint("_log_likelihood"), [x, seed]),
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
        seed = self.seed_of("test", self.trackers["mse"].count.value)
        x = self.observe(batch["x"], samplers.fold_in(seed, "observe"))
        z, _ = self.infer(x, 1, samplers.fold_in(seed, "infer"))
        metrics = {"mse": self.squared_error(batch["x"], z)}
        if self.has_bound:
            metrics["bound"] = self.log_weights(x, 1, samplers.fold_in(seed, "bound"))[0]
        return self._track(metrics)

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

    @program
    def _encode(self, x, seed):
        observed = self.observe(x, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        return {"z": z[0]} | self.encoding(observed)

    @program
    def _log_likelihood(self, x, seed):
        observed = self.observe(x, samplers.fold_in(seed, "observe"))
        log_weights = self.scoring.log_weights(self, observed, samplers.fold_in(seed, "anneal"))
        estimate = log_mean_weight(log_weights)
        return {k: tf.cast(v, x.dtype) for k, v in estimate._asdict().items()}

    def _decoded(self, z, seed, sample_axis=0):
        pixels = self.likelihood(z)
        draw = pixels.sample(seed=samplers.fold_in(seed, "draw"))
        return {
            "x": tf.squeeze(draw, sample_axis),
            "mean": tf.squeeze(pixels.mean(), sample_axis),
        }


def chain_diagnostics(result: samplers.HMCResult) -> dict[str, tf.Tensor]:
    """What a chain [S, B, ...] tells of itself, averaged over its samples: [B] each."""
    return {
        "accept_rate": tf.reduce_mean(result.accept_prob, 0),
        "energy_error": tf.reduce_mean(result.energy_error, 0),
    }


def _to_numpy(outputs):
    return {name: value.numpy() for name, value in outputs.items()}
