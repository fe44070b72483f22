"""q(z given x) over binary latents: directed, group after group, or an RBM of its own per image."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

import layers
import samplers
from samplers.random import Seed
from samplers.rbm import bernoulli
from samplers.relaxations import Relaxation
from zoo.core.checks import UsageError, check_count


class RelaxedDraw(NamedTuple):
    """Relaxed latents through which the gradient of a bound passes.

    Attributes:
      zeta: z1 and then z2 in one vector, [S, B, n].
      mean1: what the prior's log density is taken at on side 1, [S, B, n1]: probabilities where
        the expectation over that side has a closed form, else part of zeta.
      mean2: the same of side 2.
      log_q: log q, nats, [S, B]; where its expectation has a closed form that; where q is not
        normalised without log Z, whose gradient cancels.
    """

    zeta: tf.Tensor
    mean1: tf.Tensor
    mean2: tf.Tensor
    log_q: tf.Tensor


class HardDraw(NamedTuple):
    """Binary latents with what makes them importance samples.

    Attributes:
      z: [S, B, n].
      log_q: what to subtract from log p(x, z) for a log weight, nats, [S, B]; log q(z given x)
        itself where that is known.
    """

    z: tf.Tensor
    log_q: tf.Tensor


class _BinaryPosterior(keras.layers.Layer):
    """From features of an image, [B, F], to a law over z = (z1, z2), [B, n1 + n2].

    Args:
      latent_dims: n1 and n2.
      seed: of the initial weights.
    """

    normalised = True  # whether log q of a relaxed draw has its log Z

    def __init__(self, latent_dims: Sequence[int], *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.latent_dims, self.seed = tuple(latent_dims), seed

    def _dense(self, inputs, units, index):
        head = keras.layers.Dense(
            units, kernel_initializer=keras.initializers.GlorotUniform(self.seed + index)
        )
        head.build((None, inputs))
        return head

    def get_config(self):
        config = {"latent_dims": self.latent_dims, "seed": self.seed}
        return super().get_config() | config


@keras.saving.register_keras_serializable("zoo")
class DirectedPosterior(_BinaryPosterior):
    """q(z given x) = prod_i q(z_i given x, z_1 ... z_{i-1}), groups of independent bits.

    The logits of a group are linear in the features, which all groups share, and in the groups
    before (Vahdat et al. 2020, figure 3c). One group is mean-field; of several the first half is
    side 1.

    Args:
      num_groups: L, one or an even number that divides the units.
      **kwargs: as the base.

    Raises:
      UsageError: for another number of groups.
    """

    def __init__(self, latent_dims: Sequence[int], *, num_groups: int = 1, **kwargs):
        super().__init__(latent_dims, **kwargs)
        check_count(num_groups=num_groups)
        half = max(num_groups // 2, 1)
        if num_groups != 1 and (num_groups % 2 or any(n % half for n in self.latent_dims)):
            raise UsageError(
                f"num_groups must be 1, or even and split sides of {self.latent_dims} units "
                f"equally; it was {num_groups}."
            )
        self.num_groups = num_groups
        if num_groups == 1:
            self._sizes = [sum(self.latent_dims)]
        else:
            self._sizes = [n // half for n in self.latent_dims for _ in range(half)]

    def build(self, features_shape):
        inputs, self.heads = features_shape[-1], []
        for i, size in enumerate(self._sizes):
            self.heads.append(self._dense(inputs, size, i))
            inputs += size
        self.built = True

    def call(self, features):
        """What `relaxed`, `hard` and `move` take: the features themselves."""
        return features

    def relaxed(
        self,
        features: tf.Tensor,
        start: None,
        num_samples: int,
        relax: Relaxation,
        seed: Seed,
        closed_form: bool,
    ) -> RelaxedDraw:
        """Draws that the features' gradient passes through; groups are conditioned on them.

        Args:
          features: [B, F].
          start: None; an undirected posterior has one.
          num_samples: S.
          relax: of the bits.
          seed: int or int32[2].
          closed_form: whether log q and the prior are at their expectations, each group given
            those before. Else log q is at zeta, without the gradient in its parameters, whose
            expectation is 0.
        """
        zeta, logits = self._walk(features, num_samples, relax, seed)
        held = tf.stop_gradient(logits)
        if relax.overlapping:
            at, log_q = zeta, relax.log_prob(zeta, held)
        else:
            # In closed form minus the entropy, whose derivative in the probability is the logit.
            at = tf.sigmoid(logits) if closed_form else zeta
            log_q = at * held + tf.math.log_sigmoid(-held)
        mean1, mean2 = tf.split(at, self.latent_dims, axis=-1)
        if self.num_groups > 1:
            mean1 = zeta[..., : self.latent_dims[0]]  # side 2 depends on it
        return RelaxedDraw(zeta, mean1, mean2, tf.reduce_sum(log_q, -1))

    def hard(self, features: tf.Tensor, num_samples: int, seed: Seed) -> HardDraw:
        """Exact draws of q, and their log mass."""
        z, logits = self._walk(features, num_samples, bernoulli, seed)
        return HardDraw(z, _log_mass(z, logits))

    def move(self, features: tf.Tensor, z: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """A transition from z, [S, B, n], that is reversible with respect to q: a fresh draw.

        Returns:
          The new z, and log q of the old less that of the new, [S, B].
        """
        new, log_q = self.hard(features, tf.shape(z)[0], seed)
        return new, self.log_density(features, z) - log_q

    def log_density(self, features: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """log q of bits z, [S, B, n]: nats, [S, B]."""
        parts = iter(tf.split(z, self._sizes, axis=-1))
        _, logits = self._walk(features, tf.shape(z)[0], lambda *_: next(parts), 0)
        return _log_mass(z, logits)

    def _walk(self, features, num_samples, choose, seed):
        """All bits, and their logits, [S, B, n]; `choose` makes a group of logits and noise."""
        above = [tf.repeat(features[None], num_samples, axis=0)]
        logits = []
        for i, head in enumerate(self.heads):
            logits.append(layers.fold(head, tf.concat(above, -1)))
            u = samplers.fast_uniform(tf.shape(logits[-1]), samplers.fold_in(seed, i))
            above.append(choose(logits[-1], u))
        return tf.concat(above[1:], -1), tf.concat(logits, -1)

    def get_config(self):
        return super().get_config() | {"num_groups": self.num_groups}


@keras.saving.register_keras_serializable("zoo")
class UndirectedPosterior(_BinaryPosterior):
    """q(z given x) is an RBM whose biases and weights are linear in the features (sec. 4).

    The network gives fields h and couplings J of spins 2 z - 1. The couplings are divided by
    sqrt(n1 n2): a unit sums over so many, which the same features move together, so that otherwise
    a training step would move its logit as many times as far as by its field.

    Args:
      num_relaxed_sweeps: t, sweeps through which the gradient passes.
      num_increments: annealing steps from the fields alone when bits are drawn from scratch.
      **kwargs: as the base.
    """

    normalised = False

    def __init__(
        self,
        latent_dims: Sequence[int],
        *,
        num_relaxed_sweeps: int = 1,
        num_increments: int = 100,
        **kwargs,
    ):
        super().__init__(latent_dims, **kwargs)
        check_count(num_relaxed_sweeps=num_relaxed_sweeps, num_increments=num_increments)
        self.num_relaxed_sweeps, self.num_increments = num_relaxed_sweeps, num_increments

    def build(self, features_shape):
        n1, n2 = self.latent_dims
        self.fields = self._dense(features_shape[-1], n1 + n2, 0)
        self.couplings = self._dense(features_shape[-1], n1 * n2, 1)
        self.built = True

    def call(self, features) -> samplers.RBM:
        """An RBM for each image."""
        n1, n2 = self.latent_dims
        h1, h2 = tf.split(self.fields(features), self.latent_dims, axis=-1)
        j = tf.reshape(self.couplings(features), [-1, n1, n2]) / (n1 * n2) ** 0.5
        # The energy of spins is half of these in bits, s = 2 z - 1, up to a constant.
        return samplers.RBM(2 * (h1 - tf.reduce_sum(j, 2)), 2 * (h2 - tf.reduce_sum(j, 1)), 4 * j)

    def relaxed(
        self,
        rbm: samplers.RBM,
        start: tf.Tensor,
        num_samples: int,
        relax: Relaxation,
        seed: Seed,
        closed_form: bool,
    ) -> RelaxedDraw:
        """Relaxed sweeps from side 1 of a hard draw (sec. 3, the path-wise term).

        Args: as `DirectedPosterior.relaxed`; `start` is that z1, [S, B, n1]. In closed form, side
        1 is at its expectation given side 2.
        """
        zeta1, zeta2, mean1 = samplers.relaxed_gibbs(
            rbm, start, num_sweeps=self.num_relaxed_sweeps, relax=relax, seed=seed
        )
        mean1 = mean1 if closed_form else zeta1
        held = samplers.RBM(*map(tf.stop_gradient, rbm))
        log_q = held.log_density(mean1, zeta2)
        return RelaxedDraw(tf.concat([zeta1, zeta2], -1), mean1, zeta2, log_q)

    def hard(self, rbm: samplers.RBM, num_samples: int, seed: Seed) -> HardDraw:
        """Draws by annealing from the fields alone, whose weights make up for what that lacks."""
        chains = samplers.rbm_annealed_importance_sampling(
            rbm,
            num_chains=num_samples,
            betas=samplers.linear_schedule(self.num_increments),
            start="spin",  # the network's own biases: those of bits make up for its couplings
            seed=seed,
        )
        log_weights = tf.cast(chains.log_weights, chains.z1.dtype)
        log_q = rbm.log_density(chains.z1, chains.z2) - log_weights
        return HardDraw(tf.concat([chains.z1, chains.z2], -1), log_q)

    def move(self, rbm: samplers.RBM, z: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """As `DirectedPosterior.move`: sides 2, 1 and 2 are drawn, each given the other."""
        z1, z2 = tf.split(z, self.latent_dims, axis=-1)
        new1, _ = samplers.gibbs(rbm, z1, num_sweeps=1, seed=samplers.fold_in(seed, "sweep"))
        u = samplers.fast_uniform(tf.shape(z2), samplers.fold_in(seed, "last"))
        new2 = bernoulli(rbm.logits2(new1), u)
        log_ratio = rbm.log_density(z1, z2) - rbm.log_density(new1, new2)
        return tf.concat([new1, new2], -1), log_ratio

    def log_density(self, rbm: samplers.RBM, z: tf.Tensor) -> tf.Tensor:
        """As `DirectedPosterior.log_density`, less log Z."""
        return rbm.log_density(*tf.split(z, self.latent_dims, axis=-1))

    def get_config(self):
        return super().get_config() | {
            "num_relaxed_sweeps": self.num_relaxed_sweeps,
            "num_increments": self.num_increments,
        }


def _log_mass(z, logits):
    return tf.reduce_sum(z * logits - tf.math.softplus(logits), -1)
