"""Directed posteriors over binary latents: group after group of bits."""

from collections.abc import Sequence

import keras
import tensorflow as tf

import layers
import samplers
from samplers.rbm import bernoulli
from zoo.core.checks import UsageError, check_count
from zoo.core.latent import Proposal
from zoo.parts.binary_posterior import BinaryPosterior, RelaxedDraw


@keras.saving.register_keras_serializable("zoo")
class DirectedPosterior(BinaryPosterior):
    """The posterior prod_i q(z_i given x, z_1 ... z_{i-1}) of groups of independent bits.

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
        """Returns the features [B, F] themselves, which are the parameters."""
        return features

    def relaxed(self, parameters, start, num_samples, relax, seed, form):
        """As the base: groups are conditioned on relaxed ones, and start anywhere.

        Expectations are those of each group given those before.
        """
        zeta, logits, u = self._walk(parameters, num_samples, relax, seed)
        held = self._held(zeta, logits)
        if form == "density":
            at = relax.scored(zeta, logits, u)
            return RelaxedDraw(zeta, at, tf.reduce_sum(relax.scored_log_prob(at, held), -1))
        # In closed form minus the entropy, whose derivative in the probability is the logit.
        mean = tf.sigmoid(logits) if form == "expectation" else zeta
        log_q = tf.reduce_sum(mean * held + tf.math.log_sigmoid(-held), -1)
        if self.num_groups == 1:
            return RelaxedDraw(zeta, mean, log_q)
        # In the prior the sides meet, and side 2 has seen side 1.
        seen, n1 = relax.mean_bit(zeta, logits), self.latent_dims[0]
        at = tf.concat([seen[..., :n1], mean[..., n1:]], -1)
        return RelaxedDraw(zeta, at, log_q, mean if relax.overlapping else None)

    def propose(self, parameters, num_samples, seed):
        """As the base, by exact draws and their log mass."""
        z, logits, _ = self._walk(parameters, num_samples, bernoulli, seed)
        return Proposal(z, _log_mass(z, logits))

    def move(self, parameters, z, seed):
        """As the base, by a fresh draw."""
        new, log_q, _ = self.propose(parameters, tf.shape(z)[0], seed)
        return new, self.log_density(parameters, z) - log_q

    def log_density(self, parameters, z):
        parts = iter(tf.split(z, self._sizes, axis=-1))
        _, logits, _ = self._walk(parameters, tf.shape(z)[0], lambda *_: next(parts), 0)
        return _log_mass(z, logits)

    def _held(self, zeta, logits):
        """The logits with the gradient in zeta of the groups before alone."""
        held, start = [], 0
        moved = zeta - tf.stop_gradient(zeta)
        for head, size, group in zip(
            self.heads, self._sizes, tf.split(logits, self._sizes, axis=-1), strict=True
        ):
            group = tf.stop_gradient(group)
            if start:
                kernel = tf.convert_to_tensor(head.kernel)[-start:]
                group += tf.tensordot(moved[..., :start], tf.stop_gradient(kernel), 1)
            held.append(group)
            start += size
        return tf.concat(held, -1)

    def _walk(self, features, num_samples, choose, seed):
        """All bits, their logits and noise, [S, B, n]; `choose` makes a group of the latter."""
        above = [tf.repeat(features[None], num_samples, axis=0)]
        logits, noise = [], []
        for i, head in enumerate(self.heads):
            group = layers.fold(head, tf.concat(above, -1))
            u = samplers.fast_uniform(tf.shape(group), samplers.fold_in(seed, i), group.dtype)
            logits.append(group)
            noise.append(u)
            above.append(choose(group, u))
        return tuple(tf.concat(parts, -1) for parts in (above[1:], logits, noise))

    def get_config(self):
        return super().get_config() | {"num_groups": self.num_groups}


def _log_mass(z, logits):
    return tf.reduce_sum(z * logits - tf.math.softplus(logits), -1)
