"""The base of models whose images have a class: p(y) p(z) p(x given y, z)."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from zoo.core.checks import UsageError
from zoo.core.compiled import compiled_method
from zoo.core.labels import labels
from zoo.models.classifying import ClassifyingModel
from zoo.models.deep_latent import DeepLatentGaussianModel
from zoo.parts.likelihoods import Likelihood

tfd = tfp.distributions


class ClassConditionalModel(ClassifyingModel, DeepLatentGaussianModel):
    """The base of models of a class and a style: y uniform, z ~ N(0, I), x ~ p(x given y, z).

    Where a question comes without a label, the class is summed out: `log_joint` is log p(x, z), and
    `log_likelihood` log p(x). With one, in the field `y`, they are given it: log p(x, y, z), and
    log p(x, y). A method says how classes and latents are inferred.

    Args:
      decoder: Keras model from [N, K + C], z and the one-hot class, to what the likelihood asks
        for, [N, ...event].
      num_classes: C.
      label_share: the share of training examples that have a label, in (0, 1].
      **kwargs: as the base.

    Raises:
      UsageError: as the base, for another share, or a decoder that does not take so many classes.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        num_classes: int,
        label_share: float,
        likelihood: str | dict | Likelihood,
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, **kwargs)
        self.set_classes(num_classes, label_share)
        self.latent_dim -= num_classes
        if self.latent_dim < 1:
            raise UsageError(
                f"decoder must take latents and {num_classes} classes; it takes "
                f"{self.decoder.input_shape[1:]}."
            )

    @property
    def layer_sizes(self):
        return (self.latent_dim,)

    # Densities.

    def decode(self, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Decodes latents of given classes.

        Args:
          z: [..., K].
          y: classes, int [...].

        Returns:
          The decoder's outputs, [..., ...].
        """
        return layers.fold(self.decoder, tf.concat([z, self._one_hot(y)], -1))

    def _one_hot(self, y):
        return tf.one_hot(y, self.num_classes, dtype=self.dtype)

    def _every_class(self, z):
        """The decoder's law of pixels at z [..., K] for every class, batch shape [..., C]."""
        shape = tf.concat([tf.shape(z)[:-1], [self.num_classes]], 0)
        y = tf.broadcast_to(tf.range(self.num_classes), shape)
        repeated = tf.repeat(z[..., None, :], self.num_classes, axis=-2)
        outputs = self.decode(repeated, y)
        pixels = self.observation_model.distribution(outputs)
        return tfd.Independent(pixels, len(self.fields["x"].shape))

    def likelihood_given(self, z: tf.Tensor, y: tf.Tensor) -> tfd.Distribution:
        """p(x given y, z); where the label y is -1, the class is summed out.

        Args:
          z: [..., K].
          y: labels, of a shape that broadcasts with that of z.

        Returns:
          The distribution, of the batch shape of z.
        """
        return self._mixture(z, self._log_prior(y))

    def _mixture(self, z, logits):
        """Their mixture over classes, of these logits [..., C]."""
        pixels = self._every_class(z)
        logits = tf.broadcast_to(logits, pixels.batch_shape_tensor())
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), pixels)

    def likelihood(self, z):
        """As the base: the class is summed out."""
        return self.likelihood_given(z, tf.constant(-1))

    def _log_prior(self, y):
        """log p(y = c) where c may be the class by the labels [...], and else -infinity: [..., C].

        Given a label it is not normalised: what it is added to becomes a joint density of it, too.
        """
        y = y[..., None]
        allowed = (y < 0) | (y == tf.range(self.num_classes))
        uniform = -np.log(self.num_classes)
        return tf.where(allowed, tf.constant(uniform, self.dtype), -np.inf)

    def _log_joint_by_class(self, batch, z, visible=None):
        """log p(y = c) + log p(x given y = c, z) of the visible pixels, [S, B, C]."""
        event_axes = len(self.fields["x"].shape)
        pixels = self._every_class(z).distribution
        # An axis for the classes, before those of the event.
        log_prob = pixels.log_prob(tf.expand_dims(batch["x"], -1 - event_axes))
        if visible is not None:
            log_prob = tf.where(tf.expand_dims(visible, -1 - event_axes), log_prob, 0.0)
        log_prob = tf.reduce_sum(log_prob, tf.range(-event_axes, 0))
        return log_prob + self._log_prior(labels(batch))

    def log_joint(self, batch, z, visible=None):
        """As the base, given the label where there is one: log p(x, z), or log p(x, y, z)."""
        by_class = self._log_joint_by_class(batch, z, visible)
        return self.prior.log_prob(z) + tf.reduce_logsumexp(by_class, -1)

    def log_joint_of(self, batch: dict, y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """log p(x, y, z) in nats, [A, B], at classes y [A, B] and z [A, B, K]."""
        pixels = self.observation_model.distribution(self.decode(z, y))
        log_likelihood = tfd.Independent(pixels, len(self.fields["x"].shape)).log_prob(batch["x"])
        return self.prior.log_prob(z) - np.log(self.num_classes) + log_likelihood

    def predictive(
        self, batch: dict, z: tf.Tensor, visible: tf.Tensor | None = None
    ) -> tfd.Distribution:
        """New pixels given z, what is visible of x, and the label where there is one.

        Args:
          batch: what the model explains, [B, ...] each.
          z: [S, B, K].
          visible: bool, like x; None for all of x.

        Returns:
          The mixture over classes by p(y given x_visible, z), batch shape [S, B].
        """
        return self._mixture(z, self._log_joint_by_class(batch, z, visible))

    def expected_again(self, batch, z, visible=None):
        """As the base, the predictive mean: x tells of the class, too."""
        return self.predictive(batch, z, visible).mean()

    def moved_to_class(self, batch, z, as_label):
        """As the base: z is the style, and y the class."""
        y = tf.where(as_label < 0, labels(batch), as_label)
        return batch | {"y": y}, z

    # What a user asks.

    @compiled_method
    def _sample(self, num_samples, seed, given):
        z = self.prior.sample([num_samples, 1], samplers.fold_in(seed, "prior"))
        pixels = self.likelihood_given(z, tf.convert_to_tensor(given["y"]))
        return self._drawn(pixels, seed, sample_axis=1)

    def _decoded(self, z, seed, sample_axis=0, seen=None):
        if seen is None:
            return super()._decoded(z, seed, sample_axis)
        batch, visible = seen
        return self._drawn(self.predictive(batch, z, visible), seed, sample_axis)
