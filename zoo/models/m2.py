"""Semi-supervised variational autoencoders whose images have a class (Kingma et al. 2014)."""

from collections.abc import Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_count, check_counts, check_positive, check_seed
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.labels import every_class, labels
from zoo.core.latent import Proposal
from zoo.core.networks import as_network, check_logits, check_unshared
from zoo.core.registry import register
from zoo.data import as_data, taught_by
from zoo.models.class_conditional import ClassConditionalModel
from zoo.models.classifying import KINGMA_2014
from zoo.models.deep_latent import variables_of
from zoo.parts.gaussian_posteriors import MeanFieldPosterior
from zoo.parts.likelihoods import Likelihood, get_likelihood

tfd = tfp.distributions


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "num_classes": 10, "label_share": 0.1},
    paper=KINGMA_2014,
)
class M2(ClassConditionalModel):
    """M2, a semi-supervised variational autoencoder: a class and a style make an image.

    y ~ uniform over C classes, z ~ N(0, I), x ~ p(x given y, z); q(y given x) is a classifier,
    q(z given x, y) an encoder (Kingma et al. 2014, section 3). Labels are -1 where there is none.
    Training climbs, of a labelled example, -L(x, y) = E_q[log p(x, y, z) - log q(z given x, y)];
    of another -U(x) = sum_y q(y given x) (-L(x, y)) + H(q(y given x)), all classes summed; and
    `classification_weight` times the mean of log q(y given x) over labelled ones, eq. 9.

    Args:
      encoder: Keras model from images [N, ...event] to features [N, F].
      decoder: Keras model from [N, K + C], z and the one-hot class, to what the likelihood asks
        for, [N, ...event].
      classifier: Keras model from images to logits of q(y given x), [N, C].
      posterior_network: Keras model from [N, F + C], the features and the one-hot class, to mu and
        log sigma of q(z given x, y), [N, 2 K].
      likelihood: as `VAE`.
      label_share: the share of training examples that have a label, in (0, 1]; with 1 no class is
        summed over in training, and all examples must have theirs.
      classification_weight: of the classifier's log-likelihood, alpha / N in the paper.
      **kwargs: `seed`, of training and of default draws.

    Raises:
      UsageError: as `VAE`.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        classifier: keras.Model,
        posterior_network: keras.Model,
        *,
        likelihood: str | dict | Likelihood = "bernoulli",
        label_share: float = 1.0,
        classification_weight: float = 0.1,
        **kwargs,
    ):
        classifier = as_network("classifier", classifier, getattr(encoder, "input_shape", ())[1:])
        check_logits("classifier", classifier)
        num_classes = classifier.output_shape[-1]
        super().__init__(
            decoder,
            num_classes=num_classes,
            label_share=label_share,
            likelihood=likelihood,
            encoder=encoder,
            **kwargs,
        )
        check_positive(classification_weight=classification_weight)
        self.classification_weight = float(classification_weight)
        self.classifier, event_shape = classifier, self.fields["x"].shape
        self.posterior_network = as_network("posterior_network", posterior_network)
        self.posterior_part = MeanFieldPosterior(dtype=self.dtype)
        if len(self.encoder.output_shape) != 2:
            raise UsageError(
                f"encoder must give features, (F,); it gives {self.encoder.output_shape[1:]}."
            )
        features = (self.encoder.output_shape[-1] + num_classes,)
        for name, shape in (("classifier", event_shape), ("posterior_network", features)):
            if (found := getattr(self, name).input_shape[1:]) != shape:
                raise UsageError(f"{name} must take {shape}; it takes {found}.")
        if self.posterior_network.output_shape[1:] != (2 * self.latent_dim,):
            raise UsageError(
                f"posterior_network must give {(2 * self.latent_dim,)}, mean and log standard "
                f"deviation of the latents; it gives {self.posterior_network.output_shape[1:]}."
            )
        check_unshared(decoder=self.decoder, **self._networks)

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 50,
        hidden: Sequence[int] = (500, 500),
        activation: str = "softplus",
        num_classes: int | None = None,
        label_share: float | None = None,
        likelihood: str | dict | Likelihood = "bernoulli",
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        classifier: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with fully connected networks for `data`, unless others are given.

        The encoder has the first hidden layer, the posterior network the others, so that an image
        goes through the widest matrix once, whatever the number of classes. All classes start
        alike, as weights of classes are 0: what tells them apart first are the labels. (Where
        random weights do, classes become clusters of any kind.)

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: number of latents K.
          hidden: units of each hidden layer, in all networks (in reverse order in the decoder).
          activation: of the hidden layers.
          num_classes: C; None for those of the labels of `data`.
          label_share: as the constructor; None for that of `data`.
          likelihood: as the constructor.
          encoder: used instead, if given.
          decoder: used instead, if given.
          classifier: used instead, if given.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, for a value out of its range, or for data of which a class
            has no label.
        """
        data = as_data(data)
        check_seed(seed=seed)
        check_count(latent_dim=latent_dim)
        check_counts(hidden=hidden)
        num_classes, label_share = taught_by(data, num_classes, label_share)
        likelihood = get_likelihood(likelihood, density_dtype(dtype))
        start = MeanFieldPosterior().start_features(latent_dim)
        decoded = (latent_dim + num_classes,)
        seeds = iter(range(seed, seed + 4000, 1000))

        def network(name, inputs, units, outputs, **settings):
            settings |= {"activation": activation, "seed": next(seeds), "name": name}
            return layers.mlp(inputs, units, outputs, **settings)

        with networks_of(dtype):
            made = network("encoder", data.shape, hidden[:1], None)
            encoder = as_network("encoder", encoder or made, data.shape)
            outputs = likelihood.outputs_shape(data.shape)
            made = network("decoder", decoded, tuple(reversed(hidden)), outputs)
            _forget_classes(made, num_classes)
            decoder = as_network("decoder", decoder or made, decoded)
            made = network("classifier", data.shape, hidden, (num_classes,))
            classifier = as_network("classifier", classifier or made, data.shape)
            features = (encoder.output_shape[-1] + num_classes,)
            posterior_network = network(
                "posterior_network", features, hidden[1:], start.shape, output_bias=start
            )
            _forget_classes(posterior_network, num_classes)
        return cls(
            encoder,
            decoder,
            classifier,
            posterior_network,
            likelihood=likelihood,
            label_share=label_share,
            dtype=dtype,
            seed=seed,
            **kwargs,
        )

    # Inference.

    def class_log_probs(self, batch):
        """As the base, by the classifier."""
        logits = layers.fold(self.classifier, batch["x"], len(self.fields["x"].shape))
        return tf.nn.log_softmax(logits)

    def posterior_features(self, batch: dict, y: tf.Tensor) -> tf.Tensor:
        """What q(z given x, y) is made of, [A, B, F], for classes y [A, B]."""
        features = tf.repeat(self.features(batch["x"])[None], tf.shape(y)[0], axis=0)
        joined = tf.concat([features, self._one_hot(y)], -1)
        return layers.fold(self.posterior_network, joined)

    def posterior_distribution(self, batch):
        """As the base: the mixture over classes of q(y given x) q(z given x, y).

        Where there is a label it is q(z given x, y) of that alone.
        """
        labelled = labels(batch)
        y = every_class(labelled, self.num_classes)
        features = tf.transpose(self.posterior_features(batch, y), [1, 0, 2])
        given = self._one_hot(labelled) > 0
        logits = tf.where(
            (labelled < 0)[:, None],
            self.class_log_probs(batch),
            tf.where(given, tf.constant(0.0, self.dtype), -np.inf),
        )
        q = self.posterior_part.distribution(features)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), q)

    def propose(self, batch, num_samples, seed):
        """As the base, by draws of that mixture."""
        q = self.posterior_distribution(batch)
        z = q.sample(num_samples, seed=samplers.as_seed(seed))
        return Proposal(z, q.log_prob(z), q)

    def infer(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x), or of q(z given x, y) where there is a label."""
        return self.propose(batch, num_samples, seed).z, {}

    def class_log_likelihoods(self, batch, num_samples, seed):
        """As the base; a draw of each class at a time."""
        y = every_class(labels(batch), self.num_classes)
        features = self.posterior_features(batch, y)

        def add(k, log_sum):
            proposal = self.propose_by_class(features, samplers.fold_in(seed, k))
            log_weights = self.log_joint_of(batch, y, proposal.z) - proposal.log_q
            return k + 1, tf.reduce_logsumexp([log_sum, log_weights], 0)

        start = tf.fill(tf.shape(y), tf.constant(-np.inf, self.dtype))
        _, log_sum = tf.while_loop(lambda k, _: k < num_samples, add, [0, start])
        log_mean = log_sum - tf.math.log(tf.cast(num_samples, self.dtype))
        return tf.transpose(log_mean) + np.log(self.num_classes)  # log p(x, y) without log p(y)

    def propose_by_class(self, features: tf.Tensor, seed: Seed) -> Proposal:
        """Draws from q(z given x, y) once.

        Args:
          features: of images and classes, as `posterior_features` returns them, [A, B, F].
          seed: int or int32[2].

        Returns:
          z [A, B, K] with its log density [A, B].
        """
        shape = tf.shape(features)[:2]
        proposal = self.posterior_part.propose(flat(features), 1, seed)
        z = tf.reshape(proposal.z, [*tf.unstack(shape), self.latent_dim])
        return Proposal(z, tf.reshape(proposal.log_q, shape))

    # Training.

    @property
    def parameter_groups(self):
        return {"bound": self.trainable_variables}

    @property
    def inference_and_generation(self) -> dict[str, list]:
        """The groups of methods whose decoder learns from other latents than the encoder."""
        inference = self._networks.values()
        generation = self.decoder, self.observation_model
        return {
            "inference": variables_of(*inference),
            "generation": variables_of(*generation),
        }

    def amortise(self, batch, seed):
        y = batch["y"]
        # The classes that are summed over: a label alone where every example has one.
        y = y[None] if self.label_share == 1 else every_class(y, self.num_classes)
        features = self.posterior_features(batch, y)
        return {
            "y": y,
            "features": features,
            "proposal": self.propose_by_class(features, seed),
            "class_log_probs": self.class_log_probs(batch),
        }

    def class_weights(self, batch: dict, context: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """What the classes count in the bound.

        Args:
          batch: what the model explains, [B, ...] each.
          context: what `amortise` returned.

        Returns:
          Of a labelled example 1 for its label, and else q(y given x): [A, B]; and the entropy of
          that, [B].
        """
        labelled = batch["y"] >= 0
        log_q = context["class_log_probs"]
        given = tf.cast(context["y"] == batch["y"], self.dtype)
        if self.label_share == 1:
            return given, tf.zeros_like(given[0])
        weights = tf.where(labelled, given, tf.transpose(tf.exp(log_q)))
        entropy = -tf.reduce_sum(tf.exp(log_q) * log_q, -1)
        return weights, tf.where(labelled, tf.zeros_like(entropy), entropy)

    def objectives(self, batch, context, latents, seed):
        proposal, log_q = context["proposal"], context["class_log_probs"]
        log_joint = self.log_joint_of(batch, context["y"], proposal.z)
        weights, entropy = self.class_weights(batch, context)
        bound = tf.reduce_sum(weights * (log_joint - proposal.log_q), 0) + entropy  # -L, or -U
        bound = tf.reduce_mean(bound)
        of_label = tf.reduce_sum(self._one_hot(batch["y"]) * log_q, -1)  # 0 without a label
        # In the mean over batches that of the labelled examples, how many of them a batch may have.
        cross_entropy = -tf.reduce_mean(of_label) / self.label_share
        objective = -bound + self.classification_weight * cross_entropy
        return {"bound": objective}, {"bound": bound, "cross_entropy": cross_entropy}

    @property
    def _networks(self):
        names = ("encoder", "classifier", "posterior_network")
        return {name: getattr(self, name) for name in names}

    def get_config(self):
        networks = self._networks.items()
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in networks}
        return (
            super().get_config()
            | serialized
            | {
                "label_share": self.label_share,
                "classification_weight": self.classification_weight,
            }
        )


def _forget_classes(network, num_classes):
    """Sets those weights of the first layer to 0 by which it sees one-hot classes, the last."""
    kernel = next(v for v in network.trainable_variables if "kernel" in v.path)
    kernel.assign(tf.concat([kernel[:-num_classes], 0 * kernel[-num_classes:]], 0))


def flat(features: tf.Tensor) -> tf.Tensor:
    """Features of images and classes, [A, B, F], as the posterior part takes them, [A B, F]."""
    return tf.reshape(features, [-1, features.shape[-1]])
