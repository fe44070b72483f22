"""Amortised posteriors that flows make of a diagonal Gaussian's draw."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from zoo.core.abilities import defines
from zoo.core.checks import (
    UsageError,
    check_choice,
    check_count_or_0,
    check_counts,
    check_flag,
    check_seed,
)
from zoo.core.latent import Proposal
from zoo.parts.gaussians import gaussian_of
from zoo.parts.posterior import Posterior

tfd = tfp.distributions


class FlowPosterior(Posterior):
    """The base of posteriors z_K = f_K(... f_1(z_0)), z_0 ~ N(mu(x), diag sigma(x)^2).

    log q(z_K given x) = log q_0(z_0) - sum_k log |det df_k / dz_(k-1)| (Rezende and Mohamed 2015,
    eq. 7). The features are mu, log sigma, and what the flows are conditional on, if anything.
    A posterior names the flows and their contexts; without flows it is the mean-field one.

    Args:
      num_flows: k.
      seed: of the flows' initial weights and of fixed matrices.
    """

    def __init__(self, num_flows: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        check_count_or_0(num_flows=num_flows)
        check_seed(seed=seed)
        self.arguments = {"num_flows": num_flows, "seed": seed}

    def num_contexts(self, latent_dim: int) -> int:
        """How many features the flows of so many latents take."""
        raise NotImplementedError

    def make_flows(self, latent_dim: int) -> list[layers.Flow]:
        """The flows of so many latents, built, in the order in which they are applied."""
        raise NotImplementedError

    def contexts_of(self, features: tf.Tensor) -> list[tf.Tensor | None]:
        """What each flow is conditional on, of the features beyond mu and log sigma."""
        raise NotImplementedError

    def start_features(self, latent_dim):
        return np.append(
            super().start_features(latent_dim), np.zeros(self.num_contexts(latent_dim))
        )

    def check_encoder(self, encoder, latent_dim):
        size = 2 * latent_dim + self.num_contexts(latent_dim)
        if encoder.output_shape[1:] != (size,):
            raise UsageError(
                f"encoder must give {(size,)}, mean and log standard deviation of the decoder's "
                f"{latent_dim} inputs and {size - 2 * latent_dim} numbers for the flows; it gives "
                f"{encoder.output_shape[1:]}."
            )
        if self.built:
            raise UsageError("posterior must be another object for each model; this has one.")
        self.latent_dim = latent_dim
        self.flows = self.make_flows(latent_dim)
        self.built = True
        return latent_dim

    def base(self, features: tf.Tensor) -> tfd.Distribution:
        """q_0(z_0 given x), of batch shape [B]."""
        return gaussian_of(features[..., : 2 * self.latent_dim])

    def steps(self, features: tf.Tensor) -> list[tuple[layers.Flow, tf.Tensor | None]]:
        """The flows in order, each with its context."""
        contexts = self.contexts_of(features[..., 2 * self.latent_dim :])
        return list(zip(self.flows, contexts, strict=True))

    def propose(self, features, num_samples, seed):
        q = self.base(features)
        shape = [num_samples, tf.shape(features)[0], self.latent_dim]
        z = q.mean() + q.stddev() * samplers.normal(shape, seed, features.dtype)
        log_q = q.log_prob(z)
        for flow, context in self.steps(features):
            z, log_det = flow(z, context)
            log_q -= log_det
        scores_any_z = defines(self, "distribution")
        return Proposal(z, log_q, self.distribution(features) if scores_any_z else None)

    def get_config(self):
        return super().get_config() | self.arguments


@keras.saving.register_keras_serializable("zoo")
class PlanarPosterior(FlowPosterior):
    """Planar flows (Rezende and Mohamed 2015, eq. 10); it cannot score any z.

    Args:
      num_flows: k.
      amortised: whether the encoder gives the parameters of the flows, 2 K + 1 numbers each. Else
        they are weights of the posterior, the same for all x.
      seed: of the flows' initial directions.
    """

    def __init__(self, num_flows: int = 10, *, amortised: bool = False, seed: int = 0, **kwargs):
        super().__init__(num_flows, seed, **kwargs)
        check_flag(amortised=amortised)
        self.arguments["amortised"] = bool(amortised)

    def num_contexts(self, latent_dim):
        arguments = self.arguments
        return arguments["num_flows"] * (2 * latent_dim + 1) if arguments["amortised"] else 0

    def start_features(self, latent_dim):
        features = super().start_features(latent_dim)
        if self.arguments["amortised"]:
            starts = [flow.start(latent_dim) for flow in self.make_flows(latent_dim)]
            features[2 * latent_dim :] = np.ravel(starts)
        return features

    def make_flows(self, latent_dim):
        arguments = self.arguments
        flows = [
            layers.Planar(
                amortised=arguments["amortised"], seed=arguments["seed"] + k, dtype=self.dtype
            )
            for k in range(arguments["num_flows"])
        ]
        for flow in flows:
            flow.build((None, latent_dim))
        return flows

    def contexts_of(self, features):
        if not self.arguments["amortised"] or not self.flows:
            return [None] * len(self.flows)
        return tf.split(features, len(self.flows), -1)


@keras.saving.register_keras_serializable("zoo")
class NICEPosterior(FlowPosterior):
    """Additive couplings, before each of which the latents are mixed; it can score any z.

    They keep volumes (Dinh, Krueger and Bengio 2015, section 3.2; as Rezende and Mohamed 2015 have
    it in a posterior, without NICE's last layer of scales).

    Args:
      num_flows: k, couplings.
      mixing: "permutation" or "orthogonal": a fixed one, drawn at random, before each coupling.
      hidden: units of the hidden layers of each coupling.
      seed: of the mixing, and of the couplings' initial weights.
    """

    def __init__(
        self,
        num_flows: int = 10,
        *,
        mixing: str = "permutation",
        hidden: Sequence[int] = (64,),
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(num_flows, seed, **kwargs)
        check_choice("mixing", mixing, ("permutation", "orthogonal"))
        check_counts(hidden=hidden)
        self.arguments |= {"mixing": mixing, "hidden": tuple(hidden)}

    def num_contexts(self, latent_dim):
        return 0

    def make_flows(self, latent_dim):
        arguments, flows = self.arguments, []
        if latent_dim < 2 and arguments["num_flows"]:
            raise UsageError("posterior: nice needs two latents or more, since it couples halves.")
        for k in range(arguments["num_flows"]):
            seed = arguments["seed"] + 10 * k
            flows += [
                layers.Mixing(arguments["mixing"], seed=seed, dtype=self.dtype),
                layers.AdditiveCoupling(arguments["hidden"], seed=seed, dtype=self.dtype),
            ]
        for flow in flows:
            flow.build((None, latent_dim))
        return flows

    def contexts_of(self, features):
        return [None] * len(self.flows)

    def distribution(self, features):
        return _FlowDistribution(self, features)


@keras.saving.register_keras_serializable("zoo")
class IAFPosterior(FlowPosterior):
    """Inverse autoregressive flow (Kingma et al. 2016); it cannot score any z but in K passes.

    Every step's MADE is conditional on `context_dim` further features; the order of latents is
    reversed between steps.

    Args:
      num_flows: steps.
      hidden: units of the hidden layers of each step's MADE.
      context_dim: numbers of the encoder that the steps are conditional on; 0 for none.
      seed: of the steps' initial weights.
    """

    def __init__(
        self,
        num_flows: int = 2,
        *,
        hidden: Sequence[int] = (256,),
        context_dim: int = 64,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(num_flows, seed, **kwargs)
        check_counts(hidden=hidden)
        check_count_or_0(context_dim=context_dim)
        if not len(hidden):
            raise UsageError("hidden must have at least one layer; it was ().")
        self.arguments |= {"hidden": tuple(hidden), "context_dim": context_dim}

    def num_contexts(self, latent_dim):
        return self.arguments["context_dim"] if self.arguments["num_flows"] else 0

    def make_flows(self, latent_dim):
        arguments, flows = self.arguments, []
        context = (None, arguments["context_dim"]) if arguments["context_dim"] else None
        for k in range(arguments["num_flows"]):
            flow = layers.InverseAutoregressive(
                arguments["hidden"],
                reverse=k % 2 == 1,
                seed=arguments["seed"] + 10 * k,
                dtype=self.dtype,
            )
            flow.build((None, latent_dim), context)
            flows.append(flow)
        return flows

    def contexts_of(self, features):
        return [features if self.arguments["context_dim"] else None] * len(self.flows)


class _FlowDistribution(tfd.Distribution):
    """q(z given x) of a posterior whose flows have inverses and keep volumes.

    Its `mean` and `stddev` are those of a few draws: scales for step sizes, as `Posterior.scale`.
    """

    def __init__(self, posterior: FlowPosterior, features: tf.Tensor):
        parameters = dict(locals())
        self._posterior, self._features = posterior, features
        super().__init__(
            dtype=features.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="flow_distribution",
        )

    def _sample_n(self, n, seed=None):
        return self._posterior.propose(self._features, n, seed).z

    def _log_prob(self, z):
        for flow, context in reversed(self._posterior.steps(self._features)):
            z = flow.inverse(z, context)
        return self._posterior.base(self._features).log_prob(z)

    def _mean(self):
        return self._posterior.moments(self._features)[0]

    def _stddev(self):
        return self._posterior.moments(self._features)[1]

    def _batch_shape(self):
        return self._features.shape[:-1]

    def _batch_shape_tensor(self, **_):
        return tf.shape(self._features)[:-1]

    def _event_shape(self):
        return tf.TensorShape([self._posterior.latent_dim])

    def _event_shape_tensor(self):
        return tf.constant([self._posterior.latent_dim])
