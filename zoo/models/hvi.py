"""Hamiltonian variational inference (Salimans, Kingma and Welling 2015)."""

import math
from collections.abc import Sequence
from typing import Self

import keras
import numpy as np
import tensorflow as tf

import layers
import samplers
from zoo.core.checks import (
    UsageError,
    check_count,
    check_count_or_0,
    check_counts,
    check_flag,
    check_seed,
)
from zoo.core.dtypes import networks_of
from zoo.core.networks import as_network, check_unshared
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.recorded_chain import Moved, RecordedChain
from zoo.parts.gaussians import gaussian_of
from zoo.parts.posteriors import get_posterior
from zoo.parts.step_size import LearnedStepSize


@register(
    tiny={"latent_dim": 4, "hidden": (16,), "momentum_hidden": (8,), "num_leapfrog_steps": 2},
    paper=Paper(
        authors=("Salimans, Tim", "Kingma, Diederik P.", "Welling, Max"),
        title="Markov Chain Monte Carlo and Variational Inference: Bridging the Gap",
        year=2015,
        venue="Proceedings of the 32nd International Conference on Machine Learning",
    ),
)
class HVI(RecordedChain):
    """VAE whose bound is climbed through Hamiltonian trajectories that are never rejected.

    A transition draws a momentum v' ~ q(v' given x, z_{t-1}) and takes leapfrog steps along
    log p(x, z) to (z_t, v_t), which a reverse model r(v given x, z) scores (algorithm 3):

        log w += log r(v_t given x, z_t) - log q(v'_t given x, z_{t-1}).

    q(z_0), q(v'), r, the step sizes and the decoder learn together. Step sizes, one for each latent
    and transition, stand for a diagonal mass matrix as well. The published case is one transition.

    Args:
      encoder: as `VAE`.
      decoder: as `VAE`.
      momentum_network: Keras model from x (flat), z and, of several transitions, which one it is
        (one-hot) as one vector, to mean and log standard deviation of q(v' given x, z), [N, 2 K].
        None for a fully connected one, whose momenta start as N(0, I).
      reverse_network: the same of r(v given x, z).
      momentum_hidden: units of each hidden layer, softplus, of those that are None.
      inference_network: whether q(v') looks at x and z; else it is one law, which is learned. r
        looks at both in any case.
      num_transitions: of the chain.
      num_leapfrog_steps: of each transition; with 0 it is a VAE, and has none of these networks.
      step_size: of the leapfrog steps at the start.
      max_step_size: step sizes stay below.
      **kwargs: `num_samples` and `recompute`, `likelihood`, `posterior`, `prior`, `shear` and
        `seed`, as the base.

    Raises:
      UsageError: as `VAE`, and for a value out of its range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        momentum_network: keras.Model | None = None,
        reverse_network: keras.Model | None = None,
        momentum_hidden: Sequence[int] = (300,),
        inference_network: bool = True,
        num_transitions: int = 1,
        num_leapfrog_steps: int = 4,
        step_size: float = 0.05,
        max_step_size: float = 0.5,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        check_count(num_transitions=num_transitions)
        check_count_or_0(num_leapfrog_steps=num_leapfrog_steps)
        check_counts(momentum_hidden=momentum_hidden)
        check_flag(inference_network=inference_network)
        self.chain = {
            "num_transitions": num_transitions,
            "num_leapfrog_steps": num_leapfrog_steps,
        }
        size = math.prod(self.fields["x"].shape) + self.latent_dim
        shapes = (size + num_transitions * (num_transitions > 1),), (2 * self.latent_dim,)
        given = {"momentum_network": momentum_network, "reverse_network": reverse_network}
        self.momentum_network = self.reverse_network = None
        for name, network in given.items() if num_leapfrog_steps else ():
            if network is None:
                looks = inference_network or name == "reverse_network"
                with networks_of(kwargs.get("dtype")):
                    network = _momenta(name, *shapes, momentum_hidden, looks, self.seed)
            network = as_network(name, network, shapes[0])
            found = network.input_shape[1:], network.output_shape[1:]
            if found != shapes:
                raise UsageError(
                    f"{name} must map {shapes[0]} (pixels, {self.latent_dim} latents and, of "
                    f"several, the transition) to {shapes[1]}; it maps {found[0]} to {found[1]}."
                )
            setattr(self, name, network)
        check_unshared(
            encoder=self.encoder,
            decoder=self.decoder,
            posterior=self.posterior_part,
            prior=self.prior_part,
            momentum_network=self.momentum_network,
            reverse_network=self.reverse_network,
        )
        self.learned_step_size = LearnedStepSize(
            step_size=step_size,
            max_step_size=max_step_size,
            shape=(num_transitions, self.latent_dim),
            name="step_size",
            dtype=self.dtype,
            trainable=num_leapfrog_steps > 0,
        )

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dim: int = 16,
        inference_network: bool = True,
        encoder: keras.Model | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model of `VAE.for_data`.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          latent_dim: number of latents K.
          inference_network: whether q(z_0) and q(v') look at x. Without one they are learned laws
            that all examples share, and only r sees x.
          encoder: as `VAE.for_data`.
          dtype: as `VAE.for_data`.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as `VAE.for_data` and the constructor.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        data = as_data(data)
        check_seed(seed=seed)
        check_count(latent_dim=latent_dim)
        check_flag(inference_network=inference_network)
        if not inference_network:
            for name in ("encoder", "momentum_network"):
                if (encoder if name == "encoder" else kwargs.get(name)) is not None:
                    raise UsageError(f"{name} must be left out without an inference network.")
            if (decoder := kwargs.get("decoder")) is not None:
                latent_dim = as_network("decoder", decoder).input_shape[-1]
            posterior = get_posterior(kwargs.get("posterior", "mean_field"), dtype, seed)
            with networks_of(dtype):
                start = posterior.start_features(latent_dim)
                encoder = layers.constant(data.shape, start, "encoder")
        return super().for_data(
            data,
            latent_dim=latent_dim,
            encoder=encoder,
            inference_network=inference_network,
            dtype=dtype,
            seed=seed,
            **kwargs,
        )

    @property
    def step_size(self) -> tf.Tensor:
        """Of each transition and latent, [num_transitions, K]."""
        return self.learned_step_size.value

    def momenta(self, network: keras.Model, x: tf.Tensor, z: tf.Tensor, transition: int):
        """The law of momenta that a network gives.

        Args:
          network: `momentum_network` or `reverse_network`.
          x: as the model explains them, [B, ...event].
          z: latents, [S, B, K].
          transition: t, from 0.

        Returns:
          A Gaussian of batch shape [S, B] and event shape [K].
        """
        x = tf.reshape(x, [-1, math.prod(self.fields["x"].shape)])
        parts = [tf.repeat(x[None], tf.shape(z)[0], axis=0), z]
        if (count := self.chain["num_transitions"]) > 1:
            which = tf.one_hot(transition, count, dtype=z.dtype)
            parts.append(tf.zeros_like(z[..., :1]) + which)
        return gaussian_of(layers.fold(network, tf.concat(parts, -1)))

    @property
    def length(self):
        return self.chain["num_transitions"] * self.chain["num_leapfrog_steps"]

    def move(self, batch, features, z, seed, num_steps):
        x, left = batch["x"], num_steps

        def evaluate(z):
            return samplers.point_at(lambda z: self.log_joint(batch, z), z)

        point = evaluate(z)
        log_ratio = tf.zeros_like(point.log_density)
        # Not a loop of TensorFlow: a step inside it could not be computed once more.
        for t in range(self.chain["num_transitions"]):
            num_leapfrog_steps = min(self.chain["num_leapfrog_steps"], left)
            left -= num_leapfrog_steps
            if not num_leapfrog_steps:
                break
            q = self.momenta(self.momentum_network, x, point.state, t)
            momentum = q.mean() + q.stddev() * samplers.normal(
                tf.shape(z), samplers.fold_in(seed, t), z.dtype
            )
            point, end = samplers.leapfrog(
                evaluate,
                point,
                momentum,
                step_size=self.step_size[t],
                num_steps=num_leapfrog_steps,
                recompute=self.recomputes,
            )
            r = self.momenta(self.reverse_network, x, point.state, t)
            log_ratio += r.log_prob(end) - q.log_prob(momentum)
        return Moved(point.state, point.log_density, log_ratio)

    def get_config(self):
        networks = {
            "momentum_network": self.momentum_network,
            "reverse_network": self.reverse_network,
        }
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in networks.items()}
        return super().get_config() | serialized | self.chain | self.learned_step_size.limits


def _momenta(name, input_shape, output_shape, hidden, looks, seed):
    """A network of momenta N(0, I) at the start, which looks at its inputs or learns one law."""
    if not looks:
        return layers.constant(input_shape, np.zeros(output_shape), name)
    return layers.mlp(
        input_shape,
        hidden,
        output_shape,
        zero_output=True,
        seed=seed + (3000 if name == "momentum_network" else 4000),
        name=name,
    )
