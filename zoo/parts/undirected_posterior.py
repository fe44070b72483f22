"""Undirected posteriors over binary latents: a restricted Boltzmann machine for every image."""

from collections.abc import Sequence

import keras
import tensorflow as tf

import samplers
from samplers.rbm import bernoulli
from zoo.core.checks import UsageError, check_count
from zoo.core.latent import Proposal
from zoo.parts.binary_posterior import BinaryPosterior, RelaxedDraw, check_separate
from zoo.parts.persistent_chains import PersistentChains


@keras.saving.register_keras_serializable("zoo")
class UndirectedPosterior(BinaryPosterior):
    """A posterior that is an RBM for every image, linear in the features (sec. 4).

    The network gives fields h and couplings J of spins 2 z - 1. The couplings are divided by
    sqrt(n1 n2): a unit sums over so many, which the same features move together, so that otherwise
    a training step would move its logit as many times as far as by its field.

    In training an example's chains make `num_posterior_sweeps` Gibbs sweeps in its RBM at every
    visit, from where they were left; then relaxed ones, through which the gradient passes.

    Args:
      num_examples: of the training data; chains are kept by the example's number, `index`. None
        for a posterior that is not trained.
      num_posterior_sweeps: s, hard sweeps of a visit.
      num_relaxed_sweeps: t, sweeps through which the gradient passes.
      num_increments: annealing steps from the fields alone when bits are drawn from scratch.
      **kwargs: as the base.
    """

    normalised = False

    def __init__(
        self,
        latent_dims: Sequence[int],
        *,
        num_examples: int | None = None,
        num_posterior_sweeps: int = 10,
        num_relaxed_sweeps: int = 1,
        num_increments: int = 100,
        **kwargs,
    ):
        super().__init__(latent_dims, **kwargs)
        check_count(
            num_posterior_sweeps=num_posterior_sweeps,
            num_relaxed_sweeps=num_relaxed_sweeps,
            num_increments=num_increments,
        )
        if num_examples is not None:
            check_count(num_examples=num_examples)
        self.num_examples, self.num_posterior_sweeps = num_examples, num_posterior_sweeps
        self.num_relaxed_sweeps, self.num_increments = num_relaxed_sweeps, num_increments

    def build(self, features_shape):
        n1, n2 = self.latent_dims
        self.fields = self._dense(features_shape[-1], n1 + n2, 0)
        self.couplings = self._dense(features_shape[-1], n1 * n2, 1)
        self.built = True

    def call(self, features) -> samplers.RBM:
        """Makes the RBMs of images.

        Args:
          features: [B, F].

        Returns:
          An RBM for each image, the parameters of its law.
        """
        n1, n2 = self.latent_dims
        h1, h2 = tf.split(self.fields(features), self.latent_dims, axis=-1)
        j = tf.reshape(self.couplings(features), [-1, n1, n2]) / (n1 * n2) ** 0.5
        # The energy of spins is half of these in bits, s = 2 z - 1, up to a constant.
        return samplers.RBM(2 * (h1 - tf.reduce_sum(j, 2)), 2 * (h2 - tf.reduce_sum(j, 1)), 4 * j)

    def rbms(self, rbm):
        return rbm

    def relaxed(self, rbm, start, num_samples, relax, seed, form):
        """As the base, by relaxed sweeps from side 1 of hard draws (sec. 3, the path-wise term).

        The expectation is that of side 1 given side 2.
        """
        zeta1, zeta2, mean1 = samplers.relaxed_gibbs(
            rbm, start, num_sweeps=self.num_relaxed_sweeps, relax=relax, seed=seed
        )
        at1 = mean1 if form == "expectation" else zeta1
        held = samplers.RBM(*map(tf.stop_gradient, rbm))
        log_q = held.log_density(at1, zeta2)
        zeta, at = (tf.concat([side, zeta2], -1) for side in (zeta1, at1))
        return RelaxedDraw(zeta, at, log_q)

    @property
    def batch_fields(self):
        return {"index": self.chains.field}

    def make_state(self, num_samples, seed):
        if self.num_examples is None:
            raise UsageError("num_examples must be given, of the training data; it was missing.")
        shape = (self.num_examples, num_samples, self.latent_dims[0])
        u = samplers.uniform(shape, samplers.fold_in(seed, "chains"))
        start = tf.cast(u < 0.5, self.dtype)
        self.chains = PersistentChains(start, name="chains", dtype=self.dtype)

    def check_relaxation(self, relaxation):
        check_separate(relaxation, "for an undirected posterior")

    def sample_latents(self, parameters, batch, seed):
        """As the base, by sweeps of the images' own chains: side 1 of hard draws, [K, B, n1]."""
        start = tf.transpose(self.chains.at(batch["index"]), [1, 0, 2])
        z1, _ = samplers.gibbs(parameters, start, num_sweeps=self.num_posterior_sweeps, seed=seed)
        return z1

    def state_statistics(self, batch, latents):
        return {"index": batch["index"], "chains": tf.transpose(latents, [1, 0, 2])}

    def next_state(self, statistics):
        return self.chains.next_state(statistics["index"], statistics["chains"])

    def propose(self, rbm, num_samples, seed):
        """As the base, by annealing from the fields alone; weights make up for what that lacks."""
        chains = samplers.rbm_annealed_importance_sampling(
            rbm,
            num_chains=num_samples,
            betas=samplers.linear_schedule(self.num_increments),
            start="spin",  # the network's own biases: those of bits make up for its couplings
            seed=seed,
        )
        log_weights = tf.cast(chains.log_weights, chains.z1.dtype)
        log_q = rbm.log_density(chains.z1, chains.z2) - log_weights
        return Proposal(tf.concat([chains.z1, chains.z2], -1), log_q)

    def move(self, rbm, z, seed):
        """As the base: sides 2, 1 and 2 are drawn, each given the other."""
        z1, z2 = tf.split(z, self.latent_dims, axis=-1)
        new1, _ = samplers.gibbs(rbm, z1, num_sweeps=1, seed=samplers.fold_in(seed, "sweep"))
        u = samplers.fast_uniform(tf.shape(z2), samplers.fold_in(seed, "last"), z2.dtype)
        new2 = bernoulli(rbm.logits2(new1), u)
        log_ratio = rbm.log_density(z1, z2) - rbm.log_density(new1, new2)
        return tf.concat([new1, new2], -1), log_ratio

    def log_density(self, rbm, z):
        return rbm.log_density(*tf.split(z, self.latent_dims, axis=-1))

    def get_config(self):
        return super().get_config() | {
            "num_examples": self.num_examples,
            "num_posterior_sweeps": self.num_posterior_sweeps,
            "num_relaxed_sweeps": self.num_relaxed_sweeps,
            "num_increments": self.num_increments,
        }
