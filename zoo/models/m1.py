"""M1: a VAE, and a classifier of the latents that it infers (Kingma et al. 2014)."""

from collections.abc import Iterator
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from zoo.core.batches import as_batch
from zoo.core.checks import UsageError, check_choice, check_count, check_flag
from zoo.core.failures import check_figures
from zoo.core.generative import flagged, to_numpy
from zoo.core.given import Given, split_arrays
from zoo.core.labels import LabelField, check_classes, label_counts
from zoo.core.registry import register
from zoo.data import as_data, taught_by
from zoo.models.classifying import KINGMA_2014
from zoo.models.vae import VAE
from zoo.parts.posterior import check_scores_any_z

CLASSIFIERS = ("svm", "logistic")


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_labels": 150, "num_classes": 10},
    paper=KINGMA_2014,
)
class M1(VAE):
    """M1, a variational autoencoder whose latents are the features of a classifier.

    The VAE learns from all images; a classifier of scikit-learn then learns the classes from the
    means of q(z given x) of those with a label (Kingma et al. 2014, section 2.1). `fit` ends by
    keeping these means and labels, and `classify` fits the classifier to them, and with
    `self_training` to the images that are asked for, too, whose surest classes it takes for labels.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      num_labels: how many training examples have a label.
      num_classes: C.
      classifier: "svm", a support vector machine with Gaussian kernels, or "logistic".
      self_training: whether images that are to be classified are learned from (transduction).
      **kwargs: as `VAE`.

    Raises:
      UsageError: as `VAE`, for a posterior without a mean, or another value.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_labels: int,
        num_classes: int,
        classifier: str = "svm",
        self_training: bool = False,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_count(num_labels=num_labels, num_classes=num_classes)
        check_choice("classifier", classifier, CLASSIFIERS)
        check_flag(self_training=self_training)
        check_scores_any_z(self.posterior_part)
        self.rule = {
            "num_labels": num_labels,
            "num_classes": num_classes,
            "classifier": classifier,
            "self_training": self_training,
        }
        self._fields["y"] = LabelField(num_classes=num_classes, taught=True, optional=True)
        settings = {"trainable": False, "aggregation": "only_first_replica"}
        self.kept_features = self.add_weight(
            name="kept_features",
            shape=(num_labels, self.latent_dim),
            initializer="zeros",
            **settings,
        )
        self.kept_labels = self.add_weight(
            name="kept_labels", shape=(num_labels,), dtype="int32", initializer="zeros", **settings
        )

    @classmethod
    def for_data(
        cls, data, *, num_labels: int | None = None, num_classes: int | None = None, **kwargs
    ) -> Self:
        """Makes the model as `VAE.for_data`.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          num_labels: as the constructor; None for that of `data`.
          num_classes: as the constructor; None for that of `data`.
          **kwargs: as `VAE.for_data`.

        Returns:
          The model.

        Raises:
          UsageError: as `VAE.for_data`, or for data of which a class has no label.
        """
        data = as_data(data)
        num_classes, _ = taught_by(data, num_classes, 1.0)
        if num_labels is None and not data.label_counts:
            raise UsageError("num_labels must be given for data whose labels are not known.")
        num_labels = sum(data.label_counts) if num_labels is None else num_labels
        return super().for_data(data, num_labels=num_labels, num_classes=num_classes, **kwargs)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, validation_split=0.0, **kwargs):
        """As `VAE.fit`, and then keeps the features of the labelled examples.

        Raises:
          UsageError: as `VAE.fit`; for data that cannot be read twice; or for another number of
            labels than the model was made for, or a class that has none.
        """
        if validation_split and kwargs.get("validation_data") is None:
            x, kwargs["validation_data"] = split_arrays(x, y, validation_split)
            y = None
        labelled = self._labelled(x, y)
        history = super().fit(x, y, batch_size, epochs, **kwargs)
        self._keep(*labelled)
        return history

    def keep_labelled(self, x, y=None) -> None:
        """Keeps the features and the labels of those examples that have one, as `fit` does.

        Args:
          x: as `fit`.
          y: as `fit`.

        Raises:
          UsageError: as `fit`.
        """
        self._keep(*self._labelled(x, y))

    def _labelled(self, x, y):
        """The images and the labels of those examples that have one."""
        if isinstance(x, tf.data.Dataset):
            ends = x.cardinality() != tf.data.INFINITE_CARDINALITY
        else:
            ends = not isinstance(x, Iterator) and getattr(x, "num_batches", 0) is not None
        if not ends:
            raise UsageError(
                "x must be arrays, or batches that end and can be read twice: labelled examples "
                f"are kept; it was a {type(x).__name__}."
            )
        images, found = [], []
        for batch in map(as_batch, Given(self.fields).batches(x, y)):
            images.append(batch["x"].numpy()[batch["y"] >= 0])
            found.append(batch["y"].numpy()[batch["y"] >= 0])
        images, found = np.concatenate(images), np.concatenate(found)
        if len(found) > self.rule["num_labels"]:
            raise UsageError(
                f"y must hold {self.rule['num_labels']} labels, for which the model was made; it "
                f"held {len(found)}."
            )
        counts = label_counts(found, self.rule["num_classes"])
        check_classes("y", counts)
        if self.rule["classifier"] == "svm" and min(counts) < 2:
            raise UsageError(
                "y must hold two labels of every class for the classifier 'svm'; class "
                f"{counts.index(min(counts))} has one. 'logistic' takes it."
            )
        return images, found

    def _keep(self, images, found):
        pieces = np.array_split(images, -(-len(images) // 500))
        features = [self.means({"x": tf.constant(x)}).numpy() for x in pieces]
        features = np.concatenate(features)
        check_figures("the mean of q(z given x)", features.mean(1), skip_failed=None)
        order = np.lexsort([*features.T, found])  # whatever the order of the examples
        # A pipeline of full batches may leave some out.
        missing = self.rule["num_labels"] - len(found)
        self.kept_features.assign(np.pad(features[order], [(0, missing), (0, 0)]))
        self.kept_labels.assign(np.pad(found[order], (0, missing), constant_values=-1))

    def classify(self, x) -> dict[str, np.ndarray]:
        """Tells the classes of images by the classifier, which is fitted for them.

        Args:
          x: [B, ...event], pixels in [0, 1]; or a dictionary of the model's fields.

        Returns:
          `probabilities` [B, C]; `y`, the most probable class, [B]; and `finite`, [B].

        Raises:
          UsageError: for what the fields' checks refuse, or before `fit`.
        """
        asked = self.means(self._batch(x)).numpy()
        whole = np.isfinite(asked).all(1)
        asked = asked[whole]  # scikit-learn takes no others
        found = self.kept_labels.numpy()
        features, found = self.kept_features.numpy()[found >= 0], found[found >= 0]
        if not np.ptp(found):
            raise UsageError("classify must be asked after fit, which keeps the labelled examples.")
        if self.rule["self_training"]:
            features = np.concatenate([features, asked])
            found = np.concatenate([found, np.full(len(asked), -1)])
        classifier = _classifier(self.rule["classifier"], self.rule["self_training"])
        classifier.fit(features, found)
        probabilities = np.full([len(whole), self.rule["num_classes"]], np.nan, self.dtype)
        if whole.any():
            probabilities[whole] = classifier.predict_proba(asked)
        found = flagged({"probabilities": tf.constant(probabilities)})
        return to_numpy("classify", found | {"y": tf.argmax(probabilities, -1, tf.int32)})

    def means(self, batch: dict) -> tf.Tensor:
        """The means of q(z given x) of grey levels, [B, K]."""
        return self.posterior_distribution(batch).mean()

    @property
    def inference_fields(self):
        return {name: field for name, field in super().inference_fields.items() if name != "y"}

    def get_config(self):
        return super().get_config() | self.rule


def _classifier(name, self_training):
    """A classifier of scikit-learn, which takes a second to import."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.semi_supervised import SelfTrainingClassifier
    from sklearn.svm import SVC

    if name == "svm":  # which has no probabilities of its own
        classifier = CalibratedClassifierCV(SVC(C=10.0), ensemble=False, cv=2)
    else:
        classifier = LogisticRegression(max_iter=1000)
    if self_training:
        classifier = SelfTrainingClassifier(classifier, threshold=0.8)
    return make_pipeline(StandardScaler(), classifier)
