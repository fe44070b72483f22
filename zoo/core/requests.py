"""What a user asks of a model with latents, and the compiled programs that answer."""

import inspect

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import defines
from zoo.core.batches import checked_batch
from zoo.core.checks import UsageError, check_count
from zoo.core.compiled import compiled_method
from zoo.core.fields import CountField, MaskField, SeedField, check_batch
from zoo.core.generative import Endpoint, GenerativeModel, to_numpy, uncompiled


class AnswersRequests(GenerativeModel):
    """A generative model that infers latents; `LatentVariableModel`, its heir, says how.

    Each request is checked by the model's fields, and answered by one compiled program, which is
    an endpoint of an export, too.
    """

    num_completion_steps = 100  # transitions of the chain that completes images, by default

    @property
    def visible_field(self) -> MaskField:
        """The masks that the model completes images from."""
        return MaskField(self.fields["x"].shape)

    @property
    def completes_by_a_chain(self) -> bool:
        """Whether a number of transitions is asked for."""
        return "num_steps" in inspect.signature(type(self).complete).parameters

    def reconstruct(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Infers the latents of images and decodes them.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2].

        Returns:
          `x`, a draw of p(x given z), and `mean`, its expectation: [B, ...event].

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        return to_numpy(self._reconstruct(self._batch(x), samplers.as_seed(seed)))

    def inpaint(
        self, x, visible, seed: Seed = 0, num_steps: int | None = None
    ) -> dict[str, np.ndarray]:
        """Completes images from their visible pixels.

        Args:
          x: [B, ...event], pixels in [0, 1]; what is hidden is not looked at.
          visible: bool, like `x` or like one image; True = seen.
          seed: int or int32[2].
          num_steps: transitions of the chain; by default 100, or as many as the model infers with.
            A model that completes in one pass takes none.

        Returns:
          `x` and `mean` as `reconstruct`, in which the visible pixels are those given.

        Raises:
          UsageError: for what the fields' checks refuse, or a number of steps without a chain.
        """
        steps = {}
        if self.completes_by_a_chain:
            num_steps = self.num_completion_steps if num_steps is None else num_steps
            check_count(num_steps=num_steps)
            steps = {"num_steps": tf.constant(num_steps, tf.int32)}
        elif num_steps is not None:
            raise UsageError(
                f"num_steps must be left out: {self.name!r} completes images in one pass; "
                f"it was {num_steps!r}."
            )
        batch, visible = self._visible_batch(x, visible)
        return to_numpy(self._inpaint(batch, visible, samplers.as_seed(seed), **steps))

    def encode(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Infers the latents of images, as training does.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2].

        Returns:
          `z`, a draw of the inference procedure, [B, ...]; and, by models with a posterior that can
          score any z, `q_mean` and `q_stddev` of that (with two stochastic layers, those of the
          upper one are at the mean of the lower).

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        return to_numpy(self._encode(self._batch(x), samplers.as_seed(seed)))

    def log_likelihood(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Estimates log p(x) of every image by the model's own `protocol`.

        That is annealed importance sampling, or importance sampling of models with discrete
        latents; `zoo.scores.log_likelihood` takes other protocols, and many images.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2], of the binarisation, too, where there is one.

        Returns:
          `log_likelihood` in nats and `stderr`, its Monte Carlo error over chains: [B].

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        return to_numpy(self._log_likelihood(self._batch(x), samplers.as_seed(seed)))

    def _batch(self, x):
        batch = check_batch(self.inference_fields, x)
        return {name: tf.constant(value) for name, value in batch.items()}

    def _visible_batch(self, x, visible):
        """The fields and the masks of examples, whose hidden pixels may be anything."""
        given = dict(x) if isinstance(x, dict) else {"x": x}
        field = self.fields["x"]
        x = field.check_shape("x", given.get("x"))
        visible = self.visible_field.check("visible", visible, len(x))
        return self._batch(given | {"x": np.where(visible, x, 0)}), tf.constant(visible)

    def signatures(self):
        given, seed = self.inference_fields, {"seed": SeedField()}

        def endpoint(name, **others):
            method = uncompiled(self, name)

            def function(**inputs):
                batch = {k: inputs.pop(k) for k in given}
                return method(batch, **inputs)

            return Endpoint(function, given | others)

        steps = {"num_steps": CountField()} if self.completes_by_a_chain else {}
        return super().signatures() | {
            "reconstruct": endpoint("_reconstruct", **seed),
            "inpaint": endpoint("_inpaint", visible=self.visible_field, **seed, **steps),
            "encode": endpoint("_encode", **seed),
            "log_likelihood": endpoint("_log_likelihood", **seed),
        }

    def call(self, batch):
        """The reconstruction mean, [B, ...event], at a fixed seed."""
        batch = checked_batch(batch, self.inference_fields)
        seed = samplers.fold_in(self.seed, "call")
        return uncompiled(self, "_reconstruct")(batch, seed)["mean"]

    def predict_step(self, data):
        share = self.share(data, self.inference_fields)
        mean = self({name: share.batch[name] for name in self.inference_fields})
        return share.counted({"mean": mean})["mean"]

    @compiled_method
    def _sample(self, num_samples, seed, given):
        z = self.prior.sample([num_samples, 1], samplers.fold_in(seed, "prior"))
        return self._decoded(z, seed, sample_axis=1)

    @compiled_method
    def _reconstruct(self, batch, seed):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        return self._decoded(z, seed)

    @compiled_method
    def _inpaint(self, batch, visible, seed, **steps):
        # What is hidden must not even enter a gradient.
        batch = batch | {"x": tf.where(visible, batch["x"], 0.0)}
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        key = samplers.fold_in(seed, "infer")
        z, _ = self.complete(observed, visible, num_samples=1, seed=key, **steps)
        completed = self._decoded(z, seed)
        return {name: tf.where(visible, batch["x"], value) for name, value in completed.items()}

    @compiled_method
    def _encode(self, batch, seed):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, _ = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        if not defines(self, "posterior_distribution"):
            return {"z": z[0]}
        q = self.posterior_distribution(observed)
        # With two layers, those of z_2 are at the mean of z_1.
        return {"z": z[0], "q_mean": q.mean(), "q_stddev": q.stddev()}

    @compiled_method
    def _log_likelihood(self, batch, seed):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        log_weights = self.protocol.log_weights(self, observed, samplers.fold_in(seed, "anneal"))
        log_mean, stderr = samplers.log_mean_weight(log_weights)
        dtype = batch["x"].dtype
        return {"log_likelihood": tf.cast(log_mean, dtype), "stderr": tf.cast(stderr, dtype)}

    def _decoded(self, z, seed, sample_axis=0):
        pixels = self.likelihood(z)
        draw = pixels.sample(seed=samplers.fold_in(seed, "draw"))
        return {
            "x": tf.squeeze(draw, sample_axis),
            "mean": tf.squeeze(pixels.mean(), sample_axis),
        }
