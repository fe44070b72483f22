"""What a user asks of models of sequences: draws, and what follows the first steps."""

import tensorflow as tf

import layers
import samplers
from zoo.core.checks import UsageError
from zoo.core.compiled import compiled_method
from zoo.core.generative import flagged
from zoo.core.request_fields import PrefixField
from zoo.core.sequences import LengthField
from zoo.models.recurrence import Recurrence

_NUM_PARTICLES = 40  # that infer the state after the visible steps


class ContinuesSequences(Recurrence):
    """Draws sequences, and continues those whose first steps are visible.

    What follows is drawn given a state after the visible steps, that of a particle, drawn by its
    weight, of a filter of these steps (with one particle it would be a draw of q).
    """

    @property
    def sample_fields(self):
        """The length of the draws, T by default."""
        return {"length": LengthField(max_length=self.max_length, batched=False)}

    @property
    def visible_field(self):
        return PrefixField(self.fields["x"].shape)

    def complete(self, batch, visible, num_samples, seed):
        """Not here: what follows is drawn with its latents, step after step; see `inpaint`."""
        raise UsageError("complete must be left to inpaint, which continues sequences.")

    @compiled_method
    def _sample(self, num_samples, seed, given):
        length = tf.repeat(given["length"], num_samples)
        return self._continued(self.start_states(num_samples), tf.zeros_like(length), length, seed)

    @compiled_method
    def _inpaint(self, batch, visible, seed):
        # What is hidden, or behind the length, must not even enter a product.
        visible &= tf.sequence_mask(batch["length"], self.max_length)[..., None]
        batch = batch | {"x": tf.where(visible, batch["x"], 0.0)}
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        num_seen = tf.reduce_sum(tf.cast(visible[..., 0], tf.int32), 1)
        seen = observed | {"length": num_seen}
        found = self.filtered(seen, _NUM_PARTICLES, samplers.fold_in(seed, "filter"))
        particle = samplers.fold_in(seed, "particle")
        states = samplers.resample(found.state, found.log_weights, particle)
        completed = self._continued(states, num_seen, batch["length"], seed)
        return self._merged(visible, batch["x"], completed)

    def _continued(self, states, num_seen, length, seed):
        """Draws the steps from `num_seen` to `length`, [N] both, given the states before them."""
        size = tf.shape(num_seen)[0]

        def step(states, t):
            summary = states[0]
            prior, key = self.latent_prior(summary), samplers.fold_in(seed, "step", t)
            noise = samplers.normal(
                [size, self.latent_dim], samplers.fold_in(key, "latents"), self.dtype
            )
            latent = self.latent_features(prior.mean() + prior.stddev() * noise)
            outputs = self.emission_outputs(latent, summary)
            drawn = self.emission.draw(outputs, samplers.fold_in(key, "draw"))
            new = self.next_states(self.features(drawn), latent, states)
            moves = (t >= num_seen)[:, None]
            kept = [tf.where(moves, *pair) for pair in zip(new, states, strict=True)]
            return kept, {"x": drawn, "mean": self.emission.expected(outputs)}

        alike = tf.zeros([size, self.fields["x"].shape[1]], self.dtype)
        told = {"x": alike, "mean": alike}
        _, told = layers.scan(step, states, tf.range(self.max_length), told)
        is_step = tf.sequence_mask(length, self.max_length)[..., None]
        told = {k: tf.transpose(value, [1, 0, 2]) for k, value in told.items()}
        return flagged({k: tf.where(is_step, value, 0.0) for k, value in told.items()})
