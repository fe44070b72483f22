"""Generative latent optimisation: a generator and free latents (Bojanowski et al. 2018)."""

from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf

import layers
import samplers
from zoo.core import watching
from zoo.core.checks import (
    as_usage_error,
    check_choice,
    check_count,
    check_count_or_0,
    check_positive,
    check_positives,
    check_seed,
)
from zoo.core.compiled import compiled_method
from zoo.core.decoding import DecodingModel
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.fields import PixelField
from zoo.core.networks import as_network, check_reach
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.deep_latent import top_down
from zoo.parts.free_latents import FreeLatents, pca_start, project_to_ball
from zoo.parts.gaussians import FittedGaussian, fitted_gaussian
from zoo.parts.persistent_chains import num_examples_of

LOSSES = ("l2", "laplacian_pyramid")
BLOCKS = ("dense", "convolution", "dcgan")


@register(
    tiny={"latent_dim": 4, "width": 16, "num_inference_steps": 3},
    paper=Paper(
        authors=(
            "Bojanowski, Piotr",
            "Joulin, Armand",
            "Lopez-Paz, David",
            "Szlam, Arthur",
        ),
        title="Optimizing the Latent Space of Generative Networks",
        year=2018,
        venue="Proceedings of the 35th International Conference on Machine Learning",
    ),
)
class GLO(DecodingModel):
    """Generative latent optimisation: a generator and a free latent for every example, no density.

    With a latent z_i in a ball for each training example x_i, it minimises

        mean_i loss(g(z_i), x_i)  subject to  |z_i| <= radius.

    A training step evaluates the gradient of the loss once. With it the generator takes a step of
    its optimizer, and each latent of the batch one of plain gradient descent on the loss of its own
    image, z_i <- P(z_i - rate dloss_i / dz_i), where P projects to the ball. So the step of a
    latent does not depend on what else is in the batch. Latents are kept by the example's number,
    `index`, and saved with the model.

    Samples are images of latents of a Gaussian with the mean and the covariance of those that were
    learned, which is fitted when it is asked for. Latents of other images start at draws of it and
    descend the same loss, with the generator as it is.

    Args:
      decoder: Keras model from latents [N, K] to images in [-1, 1], [N, ...event].
      num_examples: of the training data.
      loss: "l2", the mean squared error of a pixel, or "laplacian_pyramid", the sum over the levels
        of a Laplacian pyramid of `level_weights` times their mean absolute error; of images in
        [-1, 1] both. The latents of images some of whose pixels are visible descend the mean
        squared error of these, with either, since a pyramid mixes them with hidden ones.
      level_weights: of the pyramid, the finest level first. Level j has 4^j times fewer pixels, so
        that equal weights of means are the paper's 2^(2j) of sums, up to a factor.
      radius: of the ball.
      latent_learning_rate: of the latents, for the loss of one image, a mean over its pixels. For
        losses that are means over batches of B images, too, as in the authors' code, rates are B
        times larger: theirs of 10, with 128 images, is 0.08 here.
      num_inference_steps: gradient steps by which latents of other images are inferred.
      **kwargs: `seed`, of training and of default draws, and `dtype`, of latents and losses.

    Raises:
      UsageError: for a value out of its range, a decoder that does not fit, or a pyramid of more
        levels than images can be halved.
    """

    _law = None

    def __init__(
        self,
        decoder: keras.Model,
        *,
        num_examples: int,
        loss: str = "l2",
        level_weights: Sequence[float] = (1.0, 1.0, 1.0),
        radius: float = 1.0,
        latent_learning_rate: float = 0.2,
        num_inference_steps: int = 200,
        **kwargs,
    ):
        decoder = as_network("decoder", decoder)
        dtype = density_dtype(kwargs.pop("dtype", None))
        event_shape = tuple(decoder.output_shape[1:])
        super().__init__(fields={"x": PixelField(event_shape, dtype)}, dtype=dtype, **kwargs)
        check_count(num_examples=num_examples, num_inference_steps=num_inference_steps)
        check_choice("loss", loss, LOSSES)
        check_positives(level_weights=level_weights)
        check_positive(radius=radius, latent_learning_rate=latent_learning_rate)
        check_reach(decoder, (-1.0, 1.0), "images in [-1, 1]")
        self.decoder = decoder
        self.latent_dim = decoder.input_shape[-1]
        self.settings = {
            "loss": loss,
            "level_weights": tuple(level_weights),
            "radius": radius,
            "latent_learning_rate": latent_learning_rate,
        }
        if loss == "laplacian_pyramid":
            with as_usage_error():
                layers.check_halves(event_shape, len(level_weights))
        self.num_inference_steps = num_inference_steps
        shape = [num_examples, self.latent_dim]
        start = samplers.normal(shape, samplers.fold_in(self.seed, "latents"), self.dtype)
        start = project_to_ball(start, radius)
        self.latents = FreeLatents(start, name="latents", dtype=self.dtype)
        self.built = True

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 24,
        width: int = 64,
        blocks: str = "dense",
        decoder: keras.Model | None = None,
        num_examples: int | None = None,
        num_pca: int = 5000,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with a generator for `data`, unless a decoder is given.

        Latents start at the principal components of their images, projected to the ball; at draws
        of N(0, I), projected to the ball, where `data` cannot be read by `index` or has no end.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: K.
          width: units, or channels, of the generator's features; of "dcgan" channels of the largest
            map.
          blocks: "dense" or "convolution", as `ShortRun` with one layer, or "dcgan".
          decoder: used instead, if given.
          num_examples: that of `data`, unless given.
          num_pca: principal directions are those of at most so many images; 0 starts at random.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for blocks that do not fit the data.
        """
        data = as_data(data)
        check_count(latent_dim=latent_dim, width=width)
        check_count_or_0(num_pca=num_pca)
        check_seed(seed=seed)
        check_choice("blocks", blocks, BLOCKS)
        num_examples = num_examples_of(data, num_examples)
        if decoder is None and blocks == "dcgan":
            with as_usage_error(), networks_of(dtype):
                decoder = layers.dcgan_generator(
                    data.shape, latent_dim, width=width, seed=seed, name="decoder"
                )
        elif decoder is None:
            decoder = top_down(data, (latent_dim,), width, blocks, False, dtype, seed)
        decoder = as_network("decoder", decoder, (latent_dim,))
        model = cls(decoder, num_examples=num_examples, dtype=dtype, seed=seed, **kwargs)
        states = model.latents.states
        start = pca_start(data, states.numpy(), num_pca)
        states.assign(project_to_ball(tf.constant(start, model.dtype), model.settings["radius"]))
        return model

    @property
    def fields(self):
        return super().fields | {"index": self.latents.field}

    @property
    def num_completion_steps(self):
        return self.num_inference_steps

    @property
    def latent_law(self) -> FittedGaussian:
        """The Gaussian of the learned latents, in an export that of when it was made."""
        return self._law or fitted_gaussian(tf.convert_to_tensor(self.latents.states))

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """Decodes latents [..., K] to images in [-1, 1], [..., ...event]."""
        return layers.fold(self.decoder, z)

    def expected(self, z):
        """The image of z, pixels in [0, 1], [S, B, ...event]."""
        return tf.clip_by_value((self.decode(z) + 1) / 2, 0.0, 1.0)

    def loss_of(self, batch: dict, z: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """Compares images of latents with those that they stand for.

        Args:
          batch: with `x`, [B, ...event].
          z: [..., B, K].
          visible: bool, like x; only these pixels count, by their squared error. None for all, by
            the model's loss.

        Returns:
          The loss of each image, a mean over its pixels, [..., B].
        """
        difference = self.decode(z) - (2 * batch["x"] - 1)
        axes = tf.range(-len(self.fields["x"].shape), 0)
        if visible is not None:
            seen = tf.cast(visible, difference.dtype)
            total = tf.reduce_sum(seen * tf.square(difference), axes)
            return total / tf.maximum(tf.reduce_sum(seen, axes), 1.0)
        if self.settings["loss"] == "l2":
            return tf.reduce_mean(tf.square(difference), axes)
        # The pyramid is linear: that of a difference is the difference of two.
        weights = self.settings["level_weights"]
        images = tf.reshape(difference, [-1, *self.fields["x"].shape])
        levels = layers.laplacian_pyramid(images, len(weights))
        loss = sum(
            w * tf.reduce_mean(abs(v), [1, 2, 3]) for w, v in zip(weights, levels, strict=True)
        )
        return tf.reshape(loss, tf.shape(z)[:-1])

    def moved(self, z: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Takes a step of projected gradient descent: latents and their gradient, [..., K]."""
        rate, radius = self.settings["latent_learning_rate"], self.settings["radius"]
        return project_to_ball(z - rate * gradient, radius)

    def infer(self, batch, num_samples, seed):
        """As the base, by descent of the loss from draws of the Gaussian of the learned latents."""
        return self._descended(batch, None, num_samples, self.num_inference_steps, seed)

    def complete(self, batch, visible, num_samples, num_steps, seed):
        """As the base, by descent of the squared error of the visible pixels alone."""
        return self._descended(batch, visible, num_samples, num_steps, seed)

    def _descended(self, batch, visible, num_samples, num_steps, seed):
        size = tf.shape(batch["x"])[0]
        start = self.latent_law.sample([num_samples, size], samplers.fold_in(seed, "start"))

        def watched(z):
            if watching.is_watched():
                watching.show(self.expected(z))
            return z

        def step(count, z):
            with tf.GradientTape() as tape:
                tape.watch(z)
                loss = self.loss_of(batch, z, visible)
            return count + 1, watched(self.moved(z, tape.gradient(loss, z)))

        begin = (tf.constant(0), watched(project_to_ball(start, self.settings["radius"])))
        _, z = tf.while_loop(lambda count, z: count < num_steps, step, begin)
        return z, {}

    @compiled_method
    def _sample(self, num_samples, seed, given):
        z = self.latent_law.sample([num_samples, 1], samplers.fold_in(seed, "latents"))
        return self._decoded(z, seed, sample_axis=1)

    def signatures(self):
        # The latents of all training examples stay out of exports, and their Gaussian comes in.
        law = fitted_gaussian(tf.convert_to_tensor(self.latents.states))

        def with_law(function):
            def answer(**inputs):
                self._law = law
                try:
                    return function(**inputs)
                finally:
                    self._law = None

            return answer

        endpoints = super().signatures().items()
        return {name: e._replace(function=with_law(e.function)) for name, e in endpoints}

    # Training.

    @property
    def parameter_groups(self):
        return {"generation": self.decoder.trainable_variables}

    def amortise(self, batch, seed):
        z = self.latents.at(batch["index"])
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = self.loss_of(batch, z)
        return {"z": z, "loss": loss, "gradient": tape.gradient(loss, z)}

    def sample_latents(self, batch, context, seed):
        return self.moved(context["z"], context["gradient"]), {}

    def objectives(self, batch, context, latents, seed):
        metrics = {
            "mse": self.squared_error(batch, context["z"][None]),
            "latent_norm": tf.norm(context["z"], axis=-1),
        }
        return {"generation": tf.reduce_mean(context["loss"])}, metrics

    def state_statistics(self, batch, latents, diagnostics):
        return {"index": batch["index"], "latents": latents}

    def next_state(self, statistics):
        return self.latents.next_state(statistics["index"], statistics["latents"])

    def get_config(self):
        return (
            super().get_config()
            | self.settings
            | {
                "decoder": keras.saving.serialize_keras_object(self.decoder),
                "num_examples": self.latents.states.shape[0],
                "num_inference_steps": self.num_inference_steps,
            }
        )
