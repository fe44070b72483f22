"""The base of models of sequences: their bound, their weights and their filters."""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_choice, check_count
from zoo.core.generative import flagged
from zoo.core.latent import Proposal
from zoo.models.continuation import ContinuesSequences
from zoo.parts.gaussians import gaussian_of

tfd = tfp.distributions
PROPOSALS = ("posterior", "prior")


class Unrolled(NamedTuple):
    """Sequences gone through once, with the latents of each step; [T, S, B, ...].

    Attributes:
      summary: h_{t-1}, what the state before the step gives to all networks, [T, S, B, U].
      z: the latents, [T, S, B, K].
      q: the law that they were drawn from, q(z_t given x_t, h_{t-1}).
      prior: p(z_t given h_{t-1}).
      log_likelihood: log p(x_t given z_t, h_{t-1}) in nats, 0 beyond the length, [T, S, B].
      is_step: 1 within the length and 0 beyond, [T, 1, B].
    """

    summary: tf.Tensor
    z: tf.Tensor
    q: tfd.Distribution
    prior: tfd.Distribution
    log_likelihood: tf.Tensor
    is_step: tf.Tensor


class RecurrentModel(ContinuesSequences):
    """The base of models of sequences that climb the sum over steps of

        log p(x_t given z_t, h_{t-1}) - KL(q(z_t given x_t, h_{t-1}) || p(z_t given h_{t-1})),

    z_t drawn from q (Chung et al. 2015, eq. 11). Without latents that is log p(x).
    """

    # All steps.

    def unroll(
        self, batch: dict, num_samples: int, seed: Seed, z: tf.Tensor | None = None
    ) -> Unrolled:
        """Goes through sequences; only what must be is computed step after step.

        Args:
          batch: what the model explains, [B, ...] each.
          num_samples: S.
          seed: int or int32[2].
          z: latents [S, B, T, K], in whose place q is drawn from by default.
        """
        x, is_step = self._by_step(batch)
        size = tf.shape(x)[1]
        if z is None:
            given = self._noise(x, num_samples, seed)
        else:
            given = tf.where(is_step[..., None] > 0, tf.transpose(z, [2, 0, 1, 3]), 0.0)
        features = tf.repeat(self.features(x)[:, None], num_samples, 1)
        # Samples and batch are one axis in the loop: XLA cannot differentiate reshapes there.
        features, given = (
            tf.reshape(v, [self.max_length, num_samples * size, v.shape[-1]])
            for v in (features, given)
        )
        states = self.start_states(num_samples * size)

        def step(states, inputs):
            t, seen, given = inputs
            if self.truncation:
                first = t % self.truncation == 0
                states = [tf.where(first, tf.stop_gradient(part), part) for part in states]
            encoded = self.encoded(seen, states[0])
            latent = self.latent_features(latents(encoded, given))
            return self.next_states(seen, latent, states), (states[0], encoded)

        def latents(encoded, given):
            q = gaussian_of(encoded)
            return given if z is not None else q.mean() + q.stddev() * given

        # Few outputs: what follows from them is computed again, which takes less time.
        told = states[0], self.encoded(features[0], states[0])
        inputs = tf.range(self.max_length), features, given
        _, found = layers.scan(step, states, inputs, told)
        summary, encoded, given = (
            tf.reshape(v, [self.max_length, num_samples, size, v.shape[-1]])
            for v in (*found, given)
        )
        drawn = latents(encoded, given)
        outputs = self.emission_outputs(self.latent_features(drawn), summary)
        log_likelihood = self.emission.log_prob(outputs, x[:, None])
        return Unrolled(
            summary=summary,
            z=drawn,
            q=gaussian_of(encoded),
            prior=self.latent_prior(summary),
            log_likelihood=is_step * log_likelihood,
            is_step=is_step,
        )

    def filtered(
        self,
        batch: dict,
        num_particles: int,
        seed: Seed,
        *,
        proposal: str = "posterior",
        threshold: float = 0.5,
    ) -> samplers.FilterResult:
        """Runs a particle filter, which estimates log p(x_t given what came before), step by step.

        Args:
          batch: what the model explains, [B, ...] each.
          num_particles: S, for each sequence.
          seed: int or int32[2].
          proposal: what z_t is drawn from: q, or "prior", p(z_t given h_{t-1}) (a bootstrap
            filter).
          threshold: as `samplers.particle_filter`; 0 is importance sampling.

        Returns:
          The particles are the states of the cell; steps beyond the length change nothing.

        Raises:
          UsageError: for another proposal, or a number that is not positive.
        """
        check_choice("proposal", proposal, PROPOSALS)
        if not tf.is_tensor(num_particles):
            check_count(num_particles=num_particles)
        x, is_step = self._by_step(batch)
        states = self.start_states(num_particles, tf.shape(x)[1])

        def step(states, inputs, seed):
            x, seen, is_step = inputs
            seen = tf.repeat(seen[None], num_particles, 0)
            prior = law = self.latent_prior(states[0])
            if proposal == "posterior":
                law = gaussian_of(self.encoded(seen, states[0]))
            z = law.mean() + law.stddev() * self._step_noise(tf.shape(x)[0], num_particles, seed)
            latent = self.latent_features(z)
            log_weight = self.emission.log_prob(self.emission_outputs(latent, states[0]), x)
            if law is not prior:
                log_weight += prior.log_prob(z) - law.log_prob(z)
            new = self.next_states(seen, latent, states)
            counts = is_step > 0
            kept = [tf.where(counts[..., None], *pair) for pair in zip(new, states, strict=True)]
            return kept, tf.where(counts, log_weight, 0.0)

        inputs = x, self.features(x), is_step
        return samplers.particle_filter(step, states, inputs, threshold=threshold, seed=seed)

    def _noise(self, x, num_samples, seed):
        """That of all steps, [T, S, B, K], the same that steps of a particle filter draw."""
        return tf.map_fn(
            lambda t: self._step_noise(
                tf.shape(x)[1], num_samples, samplers.fold_in(seed, "step", t)
            ),
            tf.range(self.max_length),
            fn_output_signature=tf.TensorSpec([None, x.shape[1], self.latent_dim], self.dtype),
        )

    def _step_noise(self, size, num_samples, seed):
        # The batch first: without XLA, that of an example does not depend on those behind it.
        noise = samplers.normal([size, num_samples, self.latent_dim], seed, self.dtype)
        return tf.transpose(noise, [1, 0, 2])

    # What a model with latents has.

    def propose(self, batch: dict, num_samples: int, seed: Seed) -> Proposal:
        """As the base, by draws of q; z is 0 beyond the length, [S, B, T, K]."""
        path = self.unroll(batch, num_samples, seed)
        log_q = tf.reduce_sum(path.is_step * path.q.log_prob(path.z), 0)
        return Proposal(_latents(path), log_q)

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q, [S, B, T, K]; there is no chain to tell of."""
        return _latents(self.unroll(batch, num_samples, seed)), {}

    def log_weights(self, batch: dict, num_samples: int, seed: Seed) -> tf.Tensor:
        """As the base, summed over steps without keeping them."""
        log_weights = self.filtered(batch, num_samples, seed, threshold=0.0).log_weights
        return tf.cast(log_weights, self.dtype)

    def log_joint(self, batch: dict, z: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """As the base, of all steps: no mask is taken, as what follows a step depends on it."""
        if visible is not None:
            raise UsageError("visible must be left out: inpaint continues sequences.")
        path = self._at(batch, z)
        log_prior = path.is_step * path.prior.log_prob(path.z)
        return tf.reduce_sum(log_prior + path.log_likelihood, 0)

    def expected_again(self, batch, z, visible=None):
        """E[x_t given z_t and what came before], 0 beyond the length, [S, B, T, D]."""
        return self._by_example(self.emission.expected(self._outputs(batch, z)), batch)

    def squared_error(self, batch, z):
        """As the base, over the steps within the length: of E[x_t given z_t and x before it]."""
        x, _ = self._by_step(batch)  # 0 beyond the length, as what is expected
        error = tf.square(self.expected_again(batch, z)[0] - tf.transpose(x, [1, 0, 2]))
        total = tf.reduce_sum(tf.reduce_mean(error, -1), 1)
        return total / tf.cast(batch["length"], total.dtype)

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        """As the base: each step is drawn given z_t and the steps before it as they were."""
        outputs, batch = self._outputs(seen[0], z), seen[0]
        drawn = {
            "x": self.emission.draw(outputs, samplers.fold_in(seed, "draw")),
            "mean": self.emission.expected(outputs),
        }
        return flagged({k: self._by_example(value, batch)[0] for k, value in drawn.items()})

    def _at(self, batch, z):
        """Sequences gone through with the latents z, [S, B, T, K]."""
        return self.unroll(batch, z.shape[0] or tf.shape(z)[0], 0, z)

    def _outputs(self, batch, z):
        """Those that the emission takes, [T, S, B, F]."""
        path = self._at(batch, z)
        return self.emission_outputs(self.latent_features(path.z), path.summary)

    def _by_example(self, x, batch):
        """[T, S, B, D] as [S, B, T, D], 0 beyond the length."""
        is_step = tf.sequence_mask(batch["length"], self.max_length)[..., None]
        return tf.where(is_step, tf.transpose(x, [1, 2, 0, 3]), 0.0)

    # Training.

    @property
    def parameter_groups(self):
        return {"bound": self.trainable_variables}

    def amortise(self, batch, seed):
        return {"path": self.unroll(batch, 1, seed)}

    def objectives(self, batch, context, latents, seed):
        path = context["path"]
        log_likelihood = tf.reduce_mean(tf.reduce_sum(path.log_likelihood, 0))
        kl = tf.reduce_mean(tf.reduce_sum(self.kl_by_step(path), 0))
        bound = log_likelihood - kl
        return {"bound": -bound}, {"bound": bound} | ({"kl": kl} if self.latent_dim else {})

    def kl_by_step(self, path: Unrolled) -> tf.Tensor:
        """KL(q(z_t given x_t, h_{t-1}) || p(z_t given h_{t-1})) in nats, [T, S, B]."""
        return path.is_step * tfd.kl_divergence(path.q, path.prior)


def _latents(path):
    """z of a path, 0 beyond the length, [S, B, T, K]."""
    return tf.transpose(path.is_step[..., None] * path.z, [1, 2, 0, 3])
