"""Classifiers of images, which need no latents."""

import keras
import numpy as np
import tensorflow as tf

import layers
from samplers.random import Seed
from zoo.core.batches import checked_batch
from zoo.core.dtypes import density_dtype
from zoo.core.fields import PixelField
from zoo.core.generative import to_numpy
from zoo.core.networks import as_network, check_logits
from zoo.models.classifying import TellsClasses


class Classifier(TellsClasses):
    """The base of networks that tell classes, and learn them by cross-entropy.

    Args:
      network: Keras model from images [N, ...event] to logits [N, C].
      **kwargs: `seed`, of training, and `dtype`, as `VAE`.

    Raises:
      UsageError: for a network that gives no logits, is not of known shapes, or holds batch
        normalisation or dropout.
    """

    selected_by = ("cross_entropy", 1.0)

    def __init__(self, network: keras.Model, **kwargs):
        network = as_network("network", network)
        check_logits("network", network)
        dtype = density_dtype(kwargs.pop("dtype", None))
        fields = {"x": PixelField(tuple(network.input_shape[1:]), dtype)}
        super().__init__(fields=fields, dtype=dtype, **kwargs)
        self.network = network
        self.set_classes(network.output_shape[-1], 1.0)
        self.built = True

    def class_log_probs(self, batch):
        logits = layers.fold(self.network, batch["x"], len(self.fields["x"].shape))
        return tf.nn.log_softmax(logits)

    def classify(self, x, seed: Seed = 0) -> dict[str, np.ndarray]:
        """Tells the classes of images.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: not looked at, as nothing is random; what tells classes by draws takes one.

        Returns:
          `probabilities` [B, C]; `y`, the most probable class, [B]; and `finite`, [B].

        Raises:
          UsageError: for what the fields' checks refuse.
        """
        return to_numpy("classify", self._classify(self._batch(x)))

    def signatures(self) -> dict:
        """The endpoint of an export, by its name."""
        return {"classify": self.classify_endpoint}

    def call(self, batch):
        """The probabilities of the classes, [B, C]."""
        return tf.exp(self.class_log_probs(checked_batch(batch, self.inference_fields)))

    def predict_step(self, data):
        share = self.share(data, self.inference_fields)
        return share.counted({"probabilities": self(share.batch)})["probabilities"]

    # Training and evaluation.

    @property
    def parameter_groups(self):
        return {"classes": self.trainable_variables}

    def objectives(self, batch, context, latents, seed):
        log_probs = self.class_log_probs(batch)
        cross_entropy = tf.reduce_mean(self.cross_entropies(batch["y"], log_probs))
        right = tf.argmax(log_probs, -1, tf.int32) == batch["y"]
        accuracy = tf.reduce_mean(tf.cast(right, self.dtype))
        return {"classes": cross_entropy}, {"cross_entropy": cross_entropy, "accuracy": accuracy}

    def cross_entropies(self, y: tf.Tensor, log_probs: tf.Tensor) -> tf.Tensor:
        """Returns -log q(y given x) in nats, [B]; 0 of what has no label."""
        return -tf.reduce_sum(tf.one_hot(y, self.num_classes, dtype=self.dtype) * log_probs, -1)

    def test_step(self, data):
        share = self.share(data, self.inference_fields)
        log_probs = self.class_log_probs(share.batch)
        found = share.counted({"cross_entropy": self.cross_entropies(share.batch["y"], log_probs)})
        labelled = share.counted({"labelled": share.batch["y"] >= 0})["labelled"]
        metrics = self.track(found, tf.reduce_sum(tf.cast(labelled, tf.int32)))
        return metrics | self.track_accuracy(share, log_probs)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return super().get_config() | {"network": network}
