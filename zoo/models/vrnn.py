"""The variational recurrent neural network (Chung et al. 2015)."""

from collections.abc import Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from zoo.core.checks import UsageError, check_count, check_flag
from zoo.core.dtypes import networks_of
from zoo.core.networks import as_network, check_input, check_unshared, check_vectors
from zoo.core.registry import Paper, register
from zoo.models.recurrent import RecurrentModel
from zoo.parts.emission import Emission
from zoo.parts.gaussians import diagonal_gaussian, gaussian_of

tfd = tfp.distributions
CHUNG_2015 = Paper(
    authors=(
        "Chung, Junyoung",
        "Kastner, Kyle",
        "Dinh, Laurent",
        "Goel, Kratarth",
        "Courville, Aaron",
        "Bengio, Yoshua",
    ),
    title="A Recurrent Latent Variable Model for Sequential Data",
    year=2015,
    venue="Advances in Neural Information Processing Systems 28",
)


@register(
    tiny={"latent_dim": 3, "units": 12, "hidden": (12,)},
    variants={"independent prior": {"conditional_prior": False, "cell": "gru"}},
    data="digit_rows",
    paper=CHUNG_2015,
)
class VRNN(RecurrentModel):
    """Variational recurrent network: latents of each step, whose prior the state gives.

    p(z_t given h_{t-1}) = N(mu_0, diag sigma_0^2), q(z_t given x_t, h_{t-1}) = N(mu, diag sigma^2),
    p(x_t given z_t, h_{t-1}) the emission, h_t = f(x_t, z_t, h_{t-1}) (Chung et al. 2015, eqs. 5 to
    9); all networks climb one bound (eq. 11). Without a `prior_network` p(z_t) = N(0, I): the
    paper's VRNN-I.

    Args:
      cell: as the base; it sees features of x_t, and behind them those of z_t.
      x_features: as the base.
      z_features: Keras model from latents [N, K] to features [N, G].
      encoder: Keras model from features of x_t, and behind them h_{t-1}, to mu and then log sigma
        of q, [N, 2 K].
      decoder: Keras model from features of z_t, and behind them h_{t-1}, as the base.
      prior_network: Keras model from h_{t-1} to mu_0 and then log sigma_0, [N, 2 K]; None for
        N(0, I).
      **kwargs: `emission`, `max_length`, `truncation`, `seed` and `dtype`, as the base.

    Raises:
      UsageError: if the networks do not fit each other, or as the base.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        x_features: keras.Model,
        z_features: keras.Model,
        encoder: keras.Model,
        decoder: keras.Model,
        prior_network: keras.Model | None = None,
        **kwargs,
    ):
        super().__init__(cell, x_features, decoder, **kwargs)
        self.z_features = as_network("z_features", z_features)
        self.encoder = as_network("encoder", encoder)
        self.prior_network = prior_network and as_network("prior_network", prior_network)
        check_vectors(z_features=self.z_features)
        (self.latent_dim,) = self.z_features.input_shape[1:]
        num_features = self.x_features.output_shape[-1]
        size = self.connect(self.z_features.output_shape[-1])
        check_input("encoder", self.encoder, num_features + size)
        if prior_network is not None:
            check_input("prior_network", self.prior_network, size)
        for name in ("encoder", "prior_network"):
            network = getattr(self, name)
            if network is not None and network.output_shape[1:] != (2 * self.latent_dim,):
                raise UsageError(
                    f"{name} must give {(2 * self.latent_dim,)}, mean and log standard deviation "
                    f"of the latents; it gives {network.output_shape[1:]}."
                )
        check_unshared(
            cell=self.cell, x_features=self.x_features, decoder=self.decoder, **self._own
        )

    @property
    def _own(self):
        """The networks that no other model of sequences has, by name."""
        names = ("z_features", "encoder", "prior_network")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 16,
        units: int = 128,
        hidden: Sequence[int] = (128,),
        activation: str = "relu",
        cell: str | keras.layers.Layer = "lstm",
        emission: str | dict | Emission | None = None,
        conditional_prior: bool = True,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with networks for `data`.

        Args:
          data: what `zoo.data.load` returns, or else what `zoo.data.as_data` takes of sequences.
          latent_dim: number of latents K of each step.
          units: of the cell, U.
          hidden: units of each hidden layer of each network.
          activation: of the hidden layers.
          cell: "lstm" or "gru", or a Keras cell.
          emission: as the constructor. What the data say, such as their mean and scale, it gets,
            unless it says it; None for "bernoulli" of rows of pixels, "pen_strokes" of strokes with
            20 components, and "gaussian" of others.
          conditional_prior: whether the prior of z_t depends on h_{t-1}.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: `truncation`, as the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        check_count(latent_dim=latent_dim)
        check_flag(conditional_prior=conditional_prior)
        parts = cls.parts_for(
            data,
            units=units,
            hidden=hidden,
            activation=activation,
            cell=cell,
            emission=emission,
            dtype=dtype,
            seed=seed,
            latent_features=(latent_dim, *hidden)[-1],
        )

        def network(name, size, outputs, role, **arguments):
            arguments |= {"activation": activation, "seed": seed + role, "name": name}
            return layers.mlp((size,), hidden, outputs, **arguments)

        size = tf.nest.flatten(parts["cell"].state_size)[0]
        num_features, gaussian = parts["x_features"].output_shape[-1], (2 * latent_dim,)
        with networks_of(dtype):
            parts["z_features"] = network("z_features", latent_dim, None, 2000)
            # sigma starts smaller than that of the prior, as it will be.
            narrow = np.repeat([0.0, -1.0], latent_dim)
            parts["encoder"] = network(
                "encoder", num_features + size, gaussian, 3000, output_bias=narrow
            )
            if conditional_prior:
                parts["prior_network"] = network("prior_network", size, gaussian, 4000)
        return cls(**parts, seed=seed, dtype=dtype, **kwargs)

    def latent_prior(self, summary):
        if self.prior_network is None:
            zeros = tf.zeros([*tf.unstack(tf.shape(summary)[:-1]), self.latent_dim], self.dtype)
            return diagonal_gaussian(zeros, tf.ones_like(zeros))
        return gaussian_of(layers.fold(self.prior_network, summary))

    def encoded(self, features, summary):
        return layers.fold(self.encoder, tf.concat([features, summary], -1))

    def latent_features(self, z):
        return layers.fold(self.z_features, z)

    def get_config(self):
        serialized = {k: v and keras.saving.serialize_keras_object(v) for k, v in self._own.items()}
        return super().get_config() | serialized
