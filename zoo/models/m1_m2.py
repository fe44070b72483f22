"""M1+M2: a model of classes and styles of the features that a VAE infers (Kingma et al. 2014)."""

from collections.abc import Mapping, Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_count, check_counts, check_flag, check_positive
from zoo.core.compiled import compiled_method
from zoo.core.labels import labels
from zoo.core.latent import Proposal
from zoo.core.registry import get_method, register
from zoo.data import as_data, taught_by
from zoo.models.classifying import KINGMA_2014, ClassifyingModel
from zoo.parts.feature_likelihood import FeatureLikelihood
from zoo.parts.feature_prior import FeaturePrior, replaced

tfd = tfp.distributions


@register(
    tiny={
        "features": {"latent_dim": 4, "hidden": (16,)},
        "latent_dim": 3,
        "hidden": (16,),
        "num_classes": 10,
        "label_share": 0.1,
    },
    paper=KINGMA_2014,
)
class M1M2(ClassifyingModel):
    """M1+M2, a model of classes and styles of the features that a variational autoencoder infers.

    p(y) p(z_2) p(z_1 given y, z_2) p(x given z_1): M1 is a VAE of z_1 and x, and M2 explains its
    features z_1 by a class y and a style z_2 (Kingma et al. 2014, section 2.3). They are trained
    greedily: M2 learns from fresh draws of q(z_1 given x), and changes nothing of M1. Images are
    classified by the mean of q(z_1 given x). Latents are z = (z_1, z_2) in one vector.

    Args:
      features: M1, a trained VAE of one layer of latents, which is frozen.
      classes: M2 of vectors of its units, with a `FeatureLikelihood`.
      units: numbers of those units of z_1 that M2 explains; the others, which M1 does not use, keep
        their prior.
      train_features: whether M1 is trained, too, by its own bound, as in the beginning it may be.
      **kwargs: `seed`, of training and of default draws.

    Raises:
      UsageError: for models that do not fit each other.
    """

    def __init__(
        self,
        features: keras.Model,
        classes: keras.Model,
        *,
        units: Sequence[int] | None = None,
        train_features: bool = False,
        **kwargs,
    ):
        _check_features(features, train_features)
        check_flag(train_features=train_features)
        dtype = kwargs.pop("dtype", features.dtype)
        super().__init__(fields={"x": features.fields["x"]}, dtype=dtype, **kwargs)
        self.features_model, self.classes_model = features, classes
        size = features.latent_dim
        self.units = list(range(size)) if units is None else [int(unit) for unit in units]
        if sorted(set(self.units)) != sorted(self.units) or not set(self.units) <= set(range(size)):
            raise UsageError(f"units must be different numbers below {size}; it was {units!r}.")
        if classes.fields["x"].shape != (len(self.units),):
            raise UsageError(
                f"classes must explain vectors of the {len(self.units)} units; it explains "
                f"{classes.fields['x'].shape}."
            )
        self.train_features = train_features
        self.features_model.trainable = train_features
        self.latent_dim = size + classes.latent_dim
        self.observation_model = features.observation_model
        self.set_classes(classes.num_classes, classes.label_share)
        self.built = True

    @classmethod
    def for_data(
        cls,
        data,
        *,
        features: keras.Model | dict | None = None,
        min_stddev: float = 0.1,
        latent_dim: int = 50,
        hidden: Sequence[int] = (500,),
        activation: str = "softplus",
        num_classes: int | None = None,
        label_share: float | None = None,
        classification_weight: float = 0.1,
        units: Sequence[int] | None = None,
        train_features: bool | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes M2, with fully connected networks, on M1.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          features: M1, a trained VAE; or arguments of `VAE.for_data` for one that is trained along.
          min_stddev: units of a trained M1 are left out whose mean of q(z_1 given x) has a smaller
            standard deviation over a thousand training images.
          latent_dim: number of latents of M2.
          hidden: units of each hidden layer of M2's networks.
          activation: of the hidden layers.
          num_classes: as `M2.for_data`.
          label_share: as `M2.for_data`.
          classification_weight: as `M2`.
          units: as the constructor; None for those that are not left out.
          train_features: as the constructor; None where `features` are arguments.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as `M2.for_data`, or without M1.
        """
        data = as_data(data)
        check_count(latent_dim=latent_dim)
        check_counts(hidden=hidden)
        check_positive(min_stddev=min_stddev)
        if features is None:
            raise UsageError(
                "features must be given: a trained VAE, such as model.features=runs/m1, or the "
                "arguments of one that is trained along."
            )
        num_classes, label_share = taught_by(data, num_classes, label_share)
        is_trained = isinstance(features, keras.Model)
        if train_features is None:
            train_features = not is_trained
        if is_trained:
            dtype = features.dtype if dtype is None else dtype
        elif not isinstance(features, Mapping):
            raise UsageError(
                "features must be a trained VAE, or a dictionary of arguments of one; it was "
                f"{features!r:.60}."
            )
        else:
            vae = get_method("VAE")
            features = vae.for_data(data, dtype=dtype, seed=seed + 10_000, **features)
        _check_features(features, train_features)
        if units is None and is_trained:
            units = used_units(features, data, min_stddev)
        units = list(range(features.latent_dim)) if units is None else units
        classes = get_method("M2").for_data(
            (len(units),),
            latent_dim=latent_dim,
            hidden=hidden,
            activation=activation,
            num_classes=num_classes,
            label_share=label_share,
            likelihood=FeatureLikelihood(dtype=features.dtype),
            dtype=dtype,
            seed=seed,
            classification_weight=classification_weight,
            name="classes",
        )
        arguments = {"units": units, "train_features": train_features, "seed": seed}
        return cls(features, classes, **arguments, **kwargs)

    # Densities.

    @property
    def prior(self) -> tfd.Distribution:
        """p(z_1, z_2), the class summed out; event shape [K_1 + K_2]."""
        return self._prior_given(None)

    def _prior_given(self, y):
        return FeaturePrior(self.classes_model, self.units, self.features_model.latent_dim, y)

    def parts_of(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z_1 and z_2 of latents [..., K_1 + K_2]."""
        return tf.split(z, [self.features_model.latent_dim, self.classes_model.latent_dim], -1)

    def likelihood(self, z):
        """As the base, by M1 at z_1."""
        return self.features_model.likelihood(self.parts_of(z)[0])

    def log_joint(self, batch, z, visible=None):
        """As the base, given the label where there is one."""
        log_prior = self._prior_given(labels(batch)).log_prob(z)
        if visible is None:
            return log_prior + self.likelihood(z).log_prob(batch["x"])
        return log_prior + self.log_prob_where(batch, z, visible)

    def preprocess(self, batch, seed):
        return self.features_model.preprocess(batch, seed)

    def bits_per_dim(self, log_likelihood):
        return self.features_model.bits_per_dim(log_likelihood)

    # Inference.

    def _features(self, batch, z_1):
        """The batch that M2 explains: the units of z_1, [B, K_1], that it sees."""
        return {"x": tf.gather(z_1, self.units, axis=-1), "y": labels(batch)}

    def _mean_features(self, batch):
        return self._features(batch, self.features_model.posterior_distribution(batch).mean())

    def propose(self, batch, num_samples, seed):
        """As the base, by draws of q(z_1 given x), and of M2's q(z_2 given z_1)."""
        key = samplers.fold_in(seed, "features")
        first = self.features_model.propose(batch, num_samples, key)
        shape = tf.shape(first.log_q)
        flat = tf.reshape(first.z, [-1, first.z.shape[-1]])
        repeated = {"x": flat, "y": tf.tile(labels(batch), [num_samples])}
        second = self.classes_model.propose(
            self._features(repeated, flat), 1, samplers.fold_in(seed, "classes")
        )
        z_2 = tf.reshape(second.z, [*tf.unstack(shape), second.z.shape[-1]])
        log_q = first.log_q + tf.reshape(second.log_q, shape)
        return Proposal(tf.concat([first.z, z_2], -1), log_q)

    def infer(self, batch, num_samples, seed):
        """As the base, by those draws; there is no chain to tell of."""
        return self.propose(batch, num_samples, seed).z, {}

    def class_log_probs(self, batch):
        """As the base, by M2's classifier of the means of q(z_1 given x)."""
        return self.classes_model.class_log_probs(self._mean_features(batch))

    def class_log_likelihoods(self, batch, num_samples, seed):
        """As the base, of the means of q(z_1 given x) in place of x."""
        features = self._mean_features(batch)
        return self.classes_model.class_log_likelihoods(features, num_samples, seed)

    def moved_to_class(self, batch, z, as_label):
        """As the base: M2 tells its units of z_1 of another class, given the style z_2."""
        z_1, z_2 = self.parts_of(z)
        of_class = {"x": tf.gather(z_1[0], self.units, axis=-1), "y": as_label}
        mean = self.classes_model.predictive(of_class, z_2).mean()
        moved = replaced(z_1, mean, self.units)
        z_1 = tf.where((as_label < 0)[:, None], z_1, moved)
        return batch, tf.concat([z_1, z_2], -1)

    @compiled_method
    def _sample(self, num_samples, seed, given):
        y = tf.convert_to_tensor(given["y"])[None]
        z = self._prior_given(y).sample(num_samples, samplers.fold_in(seed, "prior"))
        return self._decoded(z, seed, sample_axis=1)

    # Training.

    @property
    def parameter_groups(self):
        groups = {"bound": self.classes_model.trainable_variables}
        if self.train_features:
            groups["features"] = self.features_model.trainable_variables
        return groups

    def amortise(self, batch, seed):
        seeds = [samplers.fold_in(seed, role) for role in ("features", "classes")]
        if self.train_features:
            first = self.features_model.amortise(batch, seeds[0])
        else:
            first = {"proposal": self.features_model.propose(batch, 1, seeds[0])}
        seen = self._features(batch, tf.stop_gradient(first["proposal"].z[0]))
        classes = self.classes_model.amortise(seen, seeds[1])
        return {"features": first, "seen": seen, "classes": classes}

    def scheduled_state(self, step):
        if not self.train_features:
            return []
        # M1 counts along, by which its own schedules go.
        model = self.features_model
        return [(model.training_step, step), *model.scheduled_state(step)]

    def objectives(self, batch, context, latents, seed):
        seen = context["seen"]
        objectives, metrics = self.classes_model.objectives(seen, context["classes"], latents, seed)
        metrics = {"bound_of_features": metrics["bound"], "cross_entropy": metrics["cross_entropy"]}
        if self.train_features:
            first, told = self.features_model.objectives(batch, context["features"], latents, seed)
            objectives = objectives | {"features": first["elbo"]}
            metrics |= {"features_bound": told["bound"]}
        return objectives, metrics

    def get_config(self):
        models = {"features": self.features_model, "classes": self.classes_model}
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in models.items()}
        own = {"units": self.units, "train_features": self.train_features}
        return super().get_config() | serialized | own


def _check_features(features, train_features):
    needed = ("propose", "posterior_distribution", "likelihood", "decode")
    fits = isinstance(features, keras.Model) and all(defines(features, name) for name in needed)
    if not fits or features.layer_sizes != (features.latent_dim,) or "y" in features.sample_fields:
        raise UsageError(
            "features must be a VAE of one layer of latents, whose posterior can score any z; it "
            f"was a {type(features).__name__}."
        )
    if train_features and set(features.parameter_groups) != {"elbo"}:
        raise UsageError("train_features must be False for features that are no plain VAE.")


def used_units(model, data, min_stddev: float, num_images: int = 1000) -> list[int]:
    """Tells which latents a trained model uses.

    Args:
      model: with a posterior that can score any z.
      data: what `zoo.data.as_data` returned.
      min_stddev: of the posterior means over images.
      num_images: of the training images, in the order of the first epoch.

    Returns:
      The numbers of the latents whose means have a larger standard deviation.

    Raises:
      UsageError: if there are none, or no images.
    """
    if data.train is None:
        raise UsageError("data must hold images, and not their shape alone, for trained features.")
    images = data.train.unbatch().take(num_images).batch(num_images)
    x = next(iter(images))["x"]
    observed = model.preprocess({"x": x}, samplers.as_seed(0))
    deviations = np.std(model.posterior_distribution(observed).mean(), axis=0)
    if not (deviations > min_stddev).any():
        raise UsageError(
            f"min_stddev must be below the largest standard deviation of a latent's means over "
            f"images, {deviations.max():.3g}; it was {min_stddev}."
        )
    return np.flatnonzero(deviations > min_stddev).tolist()
