"""The base of models whose latents are decoded to images, whether or not they have densities."""

import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import ability, defines
from zoo.core.generative import flagged
from zoo.core.requests import AnswersRequests


class DecodingModel(AnswersRequests):
    """A model with latents: `expected(z)`, and ways to infer z given x and given a part of it.

    From these come `reconstruct`, `inpaint`, `encode` and the error. Latents have the shape [S, B,
    ...], samples first. A heir with densities is a `LatentVariableModel`; without, images have no
    noise, and a draw of x given z is its expectation.
    """

    @property
    def selected_by(self):
        """The bound, or of methods without one the error."""
        return ("bound", -1.0) if defines(self, "log_weights") else ("mse", 1.0)

    @ability
    def expected(self, z: tf.Tensor) -> tf.Tensor:
        """E[x given z], pixels in [0, 1], [S, B, ...event]."""
        raise NotImplementedError

    def expected_again(
        self, batch: dict, z: tf.Tensor, visible: tf.Tensor | None = None
    ) -> tf.Tensor:
        """E[x given z] once x, or what is visible of it, is seen; here z tells all there is."""
        return self.expected(z)

    def squared_error(self, batch: dict, z: tf.Tensor) -> tf.Tensor:
        """Of E[x given z], at z [1, B, ...], the mean over pixels in [0, 1]: [B]."""
        error = tf.square(self.expected_again(batch, z)[0] - batch["x"])
        return tf.reduce_mean(error, tf.range(1, len(self.fields["x"].shape) + 1))

    @ability
    def infer(self, batch: dict, num_samples: int, seed: Seed | None = None):
        """Infers latents as training does.

        Args:
          batch: what the model explains, [B, ...] each.
          num_samples: S.
          seed: as `sample`: None draws anew. A method's own `infer` is given one, always.

        Returns:
          Latents given x, [S, B, ...], and diagnostics of shape [B] by name.
        """
        raise NotImplementedError

    @ability
    def complete(
        self,
        batch: dict,
        visible: tf.Tensor,
        num_samples: int,
        num_steps: int,
        seed: Seed | None = None,
    ):
        """Infers latents given the visible pixels.

        Args:
          batch: what the model explains; what is hidden in x is not looked at.
          visible: bool, like x.
          num_samples: S.
          num_steps: transitions of the chain.
          seed: as `infer`.

        Returns:
          Latents given the visible pixels, [S, B, ...], and diagnostics of shape [B] by name.
        """
        raise NotImplementedError

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        image = tf.squeeze(self.expected(z), sample_axis)
        return flagged({"x": image, "mean": image})

    # Evaluation.

    def test_step(self, data):
        share = self.share(data, self.inference_fields)
        batch = self.without_answers(share.batch)
        # The mean counts the examples so far, so that seeds need no state of their own.
        seed = self.seed_of("test", self.num_reported("mse"))
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        metrics = {"mse": self.squared_error(batch, z)}
        if defines(self, "log_weights"):
            metrics["bound"] = self.log_weights(observed, 1, samplers.fold_in(seed, "bound"))[0]
        return self.track(share.counted(metrics), share.num_examples)
