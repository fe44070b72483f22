"""The bases of models that tell the classes of images."""

import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.abilities import ability
from zoo.core.checks import UsageError, check_count, check_count_or_0
from zoo.core.compiled import compiled_method
from zoo.core.generative import Endpoint, flagged, to_numpy, uncompiled
from zoo.core.labels import LabelField
from zoo.core.latent import LatentVariableModel
from zoo.core.registry import Paper
from zoo.core.replicas import Share
from zoo.core.seeds import resolved
from zoo.core.trainable import TrainableModel

KINGMA_2014 = Paper(
    authors=(
        "Kingma, Diederik P.",
        "Rezende, Danilo Jimenez",
        "Mohamed, Shakir",
        "Welling, Max",
    ),
    title="Semi-supervised Learning with Deep Generative Models",
    year=2014,
    venue="Advances in Neural Information Processing Systems 27",
)


class TellsClasses(TrainableModel):
    """The base of models that tell classes, with latents or without; labels are the field `y`.

    A label is -1 where there is none. Scores and validation never show labels to a model.
    """

    def set_classes(self, num_classes: int, label_share: float) -> None:
        """Says which labels training takes; a constructor calls it.

        Args:
          num_classes: C.
          label_share: the share of training examples that have a label, in (0, 1].

        Raises:
          UsageError: for a value out of its range.
        """
        check_count(num_classes=num_classes)
        if not 0 < label_share <= 1:
            raise UsageError(
                f"label_share must be greater than 0 and at most 1; it was {label_share!r}."
            )
        self.num_classes, self.label_share = num_classes, float(label_share)
        self._fields["y"] = LabelField(
            num_classes=num_classes, taught=True, complete=self.label_share == 1
        )

    @ability
    def class_log_probs(self, batch: dict) -> tf.Tensor:
        """Classifies images, whose labels are not looked at.

        Args:
          batch: [B, ...] each, of grey levels or as the model explains them.

        Returns:
          log q(y given x), [B, C].
        """
        raise NotImplementedError

    def without_answers(self, batch):
        if "y" not in batch:
            return batch
        return batch | {"y": tf.fill(tf.shape(batch["y"]), -1)}

    @compiled_method
    def _classify(self, batch):
        return _classified(self.class_log_probs(batch))

    @property
    def classify_endpoint(self) -> Endpoint:
        """The signature of the classifier."""
        method = uncompiled(self, "_classify")
        return Endpoint(lambda x: method({"x": x}), {"x": self.fields["x"]})

    def track_accuracy(self, share: Share, log_probs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Adds how many classes are right to the means so far.

        Args:
          share: what this replica has of a batch.
          log_probs: of its classes, [B, C].

        Returns:
          The accuracy so far over what has a label, as `track`.
        """
        labelled = share.batch["y"] >= 0
        correct = labelled & (tf.argmax(log_probs, -1, tf.int32) == share.batch["y"])
        counted = share.counted({"accuracy": tf.cast(correct, self.dtype), "labelled": labelled})
        num_labelled = tf.reduce_sum(tf.cast(counted["labelled"], tf.int32))
        return self.track({"accuracy": counted["accuracy"]}, num_labelled)


class ClassifyingModel(TellsClasses, LatentVariableModel):
    """The base of models with latents, and classes that they tell, of which few have a label."""

    @ability
    def class_log_likelihoods(self, batch: dict, num_samples: int, seed: Seed) -> tf.Tensor:
        """Estimates log p(x given y) of every class by importance sampling with q(z given x, y).

        Args:
          batch: what the model explains, [B, ...] each, whose labels are not looked at.
          num_samples: draws for each class.
          seed: int or int32[2].

        Returns:
          Nats, [B, C].
        """
        raise NotImplementedError

    @property
    def sample_fields(self):
        """A class `y`, or -1 for any."""
        return {"y": LabelField(optional=True, num_classes=self.num_classes, batched=False)}

    @property
    def reconstruct_fields(self):
        """A class `as_label` in which z is decoded, an analogy; -1 for the example's own."""
        return {"as_label": LabelField(optional=True, num_classes=self.num_classes)}

    def moved_to_class(
        self, batch: dict, z: tf.Tensor, as_label: tf.Tensor
    ) -> tuple[dict, tf.Tensor]:
        """A batch and its latents with the styles they have, in other classes.

        Args:
          batch: what the model explains, [B, ...] each.
          z: of it, [1, B, d].
          as_label: classes, int [B]; -1 for an example's own.

        Returns:
          The batch and the latents, of which a decoder then tells.
        """
        raise NotImplementedError

    @compiled_method
    def _reconstruct(self, batch, seed, as_label=None):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        z, told = self.infer(observed, 1, samplers.fold_in(seed, "infer"))
        if as_label is not None:
            observed, z = self.moved_to_class(observed, z, as_label)
        return flagged(self._decoded(z, seed, seen=(observed, None)), told)

    def classify(self, x, seed: Seed = 0, *, num_samples: int = 0) -> dict[str, np.ndarray]:
        """Tells the classes of images.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.
          seed: int or int32[2], of those draws, and of the binarisation, where there is one.
          num_samples: draws for each class, from which p(x given y) is estimated by importance
            sampling, and p(y given x) by that; 0 for the classifier q(y given x), which sees grey
            levels as they are.

        Returns:
          `probabilities` [B, C]; `y`, the most probable class, [B]; and `finite`, [B].

        Raises:
          UsageError: for what the fields' checks refuse, or another number of samples.
        """
        check_count_or_0(num_samples=num_samples)
        batch = self._batch(x)
        if num_samples:
            found = self._classify_by_likelihood(batch, resolved(seed), tf.constant(num_samples))
        else:
            found = self._classify(batch)
        return to_numpy("classify", found)

    @compiled_method
    def _classify_by_likelihood(self, batch, seed, num_samples):
        observed = self.preprocess(batch, samplers.fold_in(seed, "observe"))
        key = samplers.fold_in(seed, "classify")
        return _classified(self.class_log_likelihoods(observed, num_samples, key))

    def signatures(self):
        return super().signatures() | {"classify": self.classify_endpoint}

    def test_step(self, data):
        metrics = super().test_step(data)
        share = self.share(data, self.inference_fields)
        return metrics | self.track_accuracy(share, self.class_log_probs(share.batch))


def _classified(logits):
    probabilities = tf.nn.softmax(logits)
    found = flagged({"probabilities": probabilities})
    return found | {"y": tf.argmax(logits, -1, tf.int32)}
