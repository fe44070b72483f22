"""Restricted Boltzmann machines as the prior of binary latents, with what estimates their log Z."""

import functools
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_choice, check_count, check_seed
from zoo.core.preparation import CachedEstimate
from zoo.parts.binary_prior import BinaryPrior, LogNormalizer

tfd = tfp.distributions
PARTICLES = ("population", "persistent")


@keras.saving.register_keras_serializable("zoo")
class RBMPrior(BinaryPrior):
    """The prior exp(b1.z1 + b2.z2 + z1' W z2) / Z over bits, with particles that follow it.

    The gradient of log Z is the mean of that of the log density over particles, which Gibbs sweeps
    move after every training step (Vahdat et al. 2020, section 4; Tieleman 2008). Parameters start
    at 0, where log Z is n log 2.

    What log Z is follows from the parameters. Scores take it from an estimate by annealing, which
    is kept with the parameters that it belongs to, and in no file (`estimate_log_normalizer`).
    `log_normalizer` is what training keeps of it from step to step, for the value of its bound.

    Args:
      latent_dims: units of both sides.
      num_particles: of them.
      num_sweeps: Gibbs sweeps of each after a training step.
      particles: "population" also weighs and resamples them as the parameters change, which tells
        the change of log Z (population annealing); "persistent" does not.
      seed: of the first particles.
    """

    def __init__(
        self,
        latent_dims: Sequence[int],
        *,
        num_particles: int = 1000,
        num_sweeps: int = 40,
        particles: str = "population",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(latent_dims, **kwargs)
        check_count(num_particles=num_particles, num_sweeps=num_sweeps)
        check_seed(seed=seed)
        self.rule, self.num_sweeps = check_choice("particles", particles, PARTICLES), num_sweeps
        self.num_particles, self.seed = num_particles, seed
        n1, n2 = self.latent_dims
        shapes = {"bias1": (n1,), "bias2": (n2,), "weights": (n1, n2)}
        self.parameters = self._add(shapes, trainable=True)
        # The parameters that the particles are draws of.
        followed = {f"followed_{name}": shape for name, shape in shapes.items()}
        self.followed = self._add(followed, trainable=False)
        state = {"log_normalizer": (), "particles1": (num_particles, n1)}
        state["particles2"] = (num_particles, n2)
        self.log_normalizer, *self.particles = self._add(state, trainable=False)
        self.log_normalizer.assign((n1 + n2) * np.log(2))
        self._estimate = CachedEstimate(self.parameters)
        for i, side in enumerate(self.particles):
            u = samplers.uniform(side.shape, samplers.fold_in(seed, "particles", i))
            side.assign(tf.cast(u < 0.5, self.dtype))
        self.built = True

    def _add(self, shapes, trainable):
        return [
            self.add_weight(name=name, shape=shape, initializer="zeros", trainable=trainable)
            for name, shape in shapes.items()
        ]

    @property
    def rbm(self):
        return samplers.RBM(*map(tf.convert_to_tensor, self.parameters))

    def _law(self):
        """As normalised as `estimate_log_normalizer` knew it at these parameters."""
        log_normalizer = self._estimate.or_else(tf.convert_to_tensor(self.log_normalizer))
        return _RBMDistribution(self.rbm, log_normalizer)

    def log_normalizer_surrogate(self):
        """As the base, with the gradient that the particles give it."""
        particles = map(tf.convert_to_tensor, self.particles)
        mean = tf.reduce_mean(self.rbm.log_density(*particles))
        return mean - tf.stop_gradient(mean) + tf.convert_to_tensor(self.log_normalizer)

    def check_relaxation(self, relaxation):
        if not relaxation.overlapping:
            raise UsageError(
                "kl must be 'bits' for an RBM as the prior, unless draws of either bit overlap, as "
                "by the relaxations 'power' and 'exponential'; it was 'relaxed'."
            )

    def relaxed_log_prob(self, at, relaxation):
        """As the base: a bound, at the means of bits given zeta (DVAE#, section 3.2)."""
        rbm = self.rbm
        given_1 = [relaxation.log_ratio(side) for side in tf.split(at, self.latent_dims, axis=-1)]
        biases = [b + g for b, g in zip((rbm.bias1, rbm.bias2), given_1, strict=True)]
        tilted = samplers.RBM(*biases, rbm.weights)
        means = _mean_field(tilted)
        given_0 = tf.reduce_sum(relaxation.log_prob_given_0(at), -1)
        log_normalizer = self.log_normalizer_surrogate()
        return given_0 - samplers.mean_field_kl(tilted, *means) - log_normalizer

    def next_state(self, seed):
        """As the base: the particles follow the parameters."""
        new = self.rbm
        z1, z2 = map(tf.convert_to_tensor, self.particles)
        log_normalizer = tf.convert_to_tensor(self.log_normalizer)
        if self.rule == "population":
            old = samplers.RBM(*map(tf.convert_to_tensor, self.followed))
            change, z1, z2 = samplers.population_annealing_step(
                old, new, z1, z2, num_sweeps=self.num_sweeps, seed=seed
            )
            log_normalizer += tf.cast(change, log_normalizer.dtype)
        else:
            z1, z2 = samplers.gibbs(new, z1, num_sweeps=self.num_sweeps, seed=seed)
        variables = [*self.particles, *self.followed, self.log_normalizer]
        return list(zip(variables, [z1, z2, *new, log_normalizer], strict=True))

    def prepared_state(self, log_normalizer):
        return [(self.log_normalizer, log_normalizer)]

    def estimate_log_normalizer(
        self,
        seed: Seed,
        *,
        num_chains: int = 1000,
        num_increments: int = 1000,
        jit_compile: bool = True,
    ) -> LogNormalizer:
        """Estimates log Z by annealed importance sampling, unless it is known.

        It is kept until the parameters change, or are taken from a file, or another seed is asked
        for: so the estimate is a function of the parameters and of these arguments alone.

        Args:
          seed: int or int32[2].
          num_chains: of them.
          num_increments: steps between temperatures.
          jit_compile: whether XLA compiles the program.

        Returns:
          The estimate with its standard error.
        """
        seed = samplers.as_seed(seed)
        key = (*seed.numpy().tolist(), num_chains, num_increments)
        if (known := self._estimate.find(key)) is not None:
            return known
        betas = samplers.linear_schedule(num_increments)
        log_weights = _annealing(jit_compile)(self.rbm, num_chains, betas, seed)
        mean, stddev = map(float, samplers.log_mean_weight(log_weights))
        self._estimate.store(mean, key, LogNormalizer(mean, stddev))
        return LogNormalizer(mean, stddev)

    def get_config(self):
        return super().get_config() | {
            "num_particles": self.num_particles,
            "num_sweeps": self.num_sweeps,
            "particles": self.rule,
            "seed": self.seed,
        }


_NUM_MEAN_FIELD_STEPS = 5


def _mean_field(rbm):
    """Means of both sides of an RBM for each row, without a gradient."""
    held = samplers.RBM(*map(tf.stop_gradient, rbm))
    start = tf.fill(tf.shape(held.bias1), tf.constant(0.5, held.bias1.dtype))
    mean1, mean2 = samplers.mean_field(held, start, _NUM_MEAN_FIELD_STEPS)
    return tf.stop_gradient(mean1), tf.stop_gradient(mean2)


@functools.cache
def _annealing(jit_compile):
    """One program for all RBMs of a size, since every `fit` ends with it."""

    def log_weights(rbm, num_chains, betas, seed):
        return samplers.rbm_annealed_importance_sampling(
            rbm, num_chains=num_chains, betas=betas, seed=seed
        ).log_weights

    return tf.function(log_weights, jit_compile=jit_compile, autograph=False)


class _RBMDistribution(tfd.Distribution):
    """The law of an RBM over z1 and z2 in one vector, given its log Z."""

    num_increments = 500  # of the annealing that draws; Gibbs sweeps alone would not find all modes

    def __init__(self, rbm, log_normalizer):
        parameters = dict(locals())
        self._rbm, self._log_normalizer = rbm, log_normalizer
        super().__init__(
            dtype=rbm.bias1.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="RBM",
        )

    def _event_shape(self):
        return tf.TensorShape([self._rbm.bias1.shape[-1] + self._rbm.bias2.shape[-1]])

    def _batch_shape(self):
        return tf.TensorShape([])

    def _log_prob(self, z):
        sides = tf.split(z, [self._rbm.bias1.shape[-1], -1], axis=-1)
        return self._rbm.log_density(*sides) - self._log_normalizer

    def _sample_n(self, n, seed=None):
        chains = samplers.rbm_annealed_importance_sampling(
            self._rbm,
            num_chains=n,
            betas=samplers.linear_schedule(self.num_increments),
            seed=tfp.random.sanitize_seed(seed),
        )
        return tf.concat([chains.z1, chains.z2], -1)
