"""Discrete variational autoencoders with RBM priors (Rolfe 2017; Vahdat et al. 2018, 2020)."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import layers
import samplers
from samplers.relaxations import Relaxation
from zoo.annealing import ImportanceSampling
from zoo.base import written_rows
from zoo.binary_posteriors import DirectedPosterior, UndirectedPosterior
from zoo.checks import UsageError, check_count
from zoo.deep_latent import DeepLatentModel
from zoo.rbm_prior import RBMPrior, check_latent_dims
from zoo.registry import register
from zoo.relaxations import get_relaxation, relaxation_config

tfd = tfp.distributions


class BinaryLatentModel(DeepLatentModel):
    """Bits z with an RBM prior, x ~ p(x given g(z)), and an approximate posterior that is a part.

    Training climbs, at relaxed bits zeta, log p(x given zeta) - w KL(q || p), with w growing from 0
    to 1 (eq. 3), or with several samples the importance-weighted bound on it, the encoder by the
    doubly reparameterised gradient (Tucker et al. 2019; Vahdat et al. 2020, section 5.2). Scores
    are of bits, never of relaxed ones.

    Args:
      encoder: Keras model from images [N, ...event] to features [N, F], of which the posterior's
        parameters are linear functions.
      decoder: Keras model from latents [N, n1 + n2] to [N, ...event].
      latent_dims: n1 and n2.
      posterior: the part that makes a law over bits of features.
      likelihood: as `VAE`.
      relaxation: "piecewise_linear", "concrete", "power" or "exponential", a dictionary of such a
        `name` and `beta`, or an object of `samplers`.
      num_samples: K, of the bound; with one the divergence is in closed form where it can be.
      warmup_steps: training steps in which w grows from 0 to 1; it is 1 in evaluation.
      num_particles: of the prior, as `zoo.rbm_prior.RBMPrior`; the next two likewise.
      num_sweeps: Gibbs sweeps of the particles after a training step.
      particles: "population" or "persistent".
      **kwargs: `seed`.

    Raises:
      UsageError: if the networks do not fit each other, or for a value out of its range.
    """

    metric_names = ("bound", "mse", "divergence", "log_normalizer")
    scoring = ImportanceSampling()

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        latent_dims: Sequence[int],
        posterior: keras.layers.Layer,
        likelihood="bernoulli",
        relaxation: str | dict | Relaxation = "piecewise_linear",
        num_samples: int = 1,
        warmup_steps: int = 0,
        num_particles: int = 1000,
        num_sweeps: int = 40,
        particles: str = "population",
        **kwargs,
    ):
        super().__init__(decoder, likelihood=likelihood, encoder=encoder, **kwargs)
        check_latent_dims(latent_dims)
        self.latent_dims = tuple(latent_dims)
        check_count(num_samples=num_samples)
        if warmup_steps:
            check_count(warmup_steps=warmup_steps)
        if encoder.input_shape[1:] != self.event_shape:
            raise UsageError(
                f"decoder must give {encoder.input_shape[1:]}, the encoder's input; "
                f"it gives {self.event_shape}."
            )
        if sum(latent_dims) != self.latent_dim:
            raise UsageError(
                f"decoder must take {sum(latent_dims)} latents, as latent_dims say; "
                f"it takes {self.latent_dim}."
            )
        self.relaxation = get_relaxation(relaxation)
        self.num_samples, self.warmup_steps = num_samples, warmup_steps
        self.posterior_part = posterior
        self.posterior_part.build((None, *encoder.output_shape[1:]))
        self.rbm_prior = RBMPrior(
            latent_dims,
            num_particles=num_particles,
            num_sweeps=num_sweeps,
            particles=particles,
            seed=self.seed,
            name="rbm_prior",
        )

    @classmethod
    def for_data(
        cls,
        data,
        *,
        latent_dims: Sequence[int] = (100, 100),
        hidden: Sequence[int] = (200, 200),
        activation: str = "tanh",
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        seed: int = 0,
        **kwargs,
    ):
        """The model with fully connected networks for `data`, unless others are given.

        Args:
          data: what `zoo.data.load` returns.
          latent_dims: units of both sides of the RBM.
          hidden: units of each hidden layer, in both networks (in reverse order in the decoder).
          activation: of the hidden layers, and of the features.
          encoder: used instead, if given.
          decoder: used instead, if given.
          seed: of the initial weights, of training and of default draws.
          **kwargs: as the constructor.
        """
        check_latent_dims(latent_dims)
        for units in hidden:
            check_count(hidden=units)
        if encoder is None:
            linear = layers.mlp(
                data.shape, hidden[:-1], hidden[-1:], activation=activation, seed=seed
            )
            features = keras.layers.Activation(activation)(linear.output)
            encoder = keras.Model(linear.input, features, name="encoder")
        decoder = decoder or layers.mlp(
            (sum(latent_dims),),
            tuple(reversed(hidden)),
            data.shape,
            activation=activation,
            seed=seed + 1000,
            name="decoder",
        )
        return cls(encoder, decoder, latent_dims=latent_dims, seed=seed, **kwargs)

    @property
    def prior(self) -> tfd.Distribution:
        """p(z) over [n1 + n2], z1 and then z2, as normalised as log Z is known."""
        return self.rbm_prior.distribution

    def parameters_of(self, x: tf.Tensor):
        """What the posterior's methods take, for images [B, ...event]."""
        return self.posterior_part(self.encoder(x))

    def log_weights(self, x, num_samples, seed):
        z, log_q = self.posterior_part.hard(self.parameters_of(x), num_samples, seed)
        return self.log_joint(x, z) - log_q

    def infer(self, x, num_samples, seed, visible=None, num_steps=100):
        """Bits of q, [S, B, n]; with a mask, of p(z given the visible pixels) by its own chain.

        A chain starts at one of 100 draws of the prior, by their likelihood. Then each of its
        `num_steps` transitions draws the hidden pixels given z, and proposes a move that leaves
        q(z given all pixels) alone, accepted so that p(z given all pixels) is left alone, too
        (Metropolis within Gibbs: Mattei and Frellsen 2018).
        """
        if visible is None:
            return self.posterior_part.hard(self.parameters_of(x), num_samples, seed).z, {}
        z = self._start(x, num_samples, visible, samplers.fold_in(seed, "start"))

        def transition(i, z, accepted):
            key = samplers.fold_in(seed, "transition", i)
            pixels = self.likelihood(z).sample(seed=samplers.fold_in(key, "pixels"))
            whole = tf.where(visible, x, pixels)
            rows = tf.reshape(whole, [-1, *self.event_shape])
            flat = tf.reshape(z, [1, -1, self.latent_dim])
            new, log_ratio = self.posterior_part.move(
                self.parameters_of(rows), flat, samplers.fold_in(key, "move")
            )
            log_ratio += self.log_joint(rows, new) - self.log_joint(rows, flat)
            u = samplers.uniform(tf.shape(log_ratio), samplers.fold_in(key, "accept"))
            accept = tf.math.log(u) < log_ratio
            new = tf.reshape(tf.where(accept[..., None], new, flat), tf.shape(z))
            accepted += tf.reduce_mean(
                tf.reshape(tf.cast(accept, tf.float32), [num_samples, -1]), 0
            )
            return i + 1, tf.ensure_shape(new, z.shape), accepted

        _, z, accepted = tf.while_loop(
            lambda i, *_: i < num_steps,
            transition,
            (0, z, tf.zeros([tf.shape(x)[0]])),
            parallel_iterations=1,
        )
        return z, {"accept_rate": accepted / tf.cast(num_steps, tf.float32)}

    def _start(self, x, num_samples, visible, seed):
        candidates = self.prior.sample([_NUM_CANDIDATES, 1], samplers.fold_in(seed, "prior"))
        pixels = self.likelihood(candidates).distribution.log_prob(x)
        event_axes = tf.range(-len(self.event_shape), 0)
        log_likelihood = tf.reduce_sum(tf.where(visible, pixels, 0.0), event_axes)
        chosen = tf.random.stateless_categorical(
            tf.transpose(log_likelihood), num_samples, samplers.fold_in(seed, "choice")
        )
        return tf.gather(candidates[:, 0], tf.transpose(chosen))

    # Training.

    @property
    def parameter_groups(self):
        if self.num_samples == 1:
            return {"bound": self.trainable_variables}
        inference = [self.encoder, self.posterior_part]
        generation = [self.decoder, self.rbm_prior, self.pixels]
        return {
            name: [v for part in parts for v in part.trainable_variables]
            for name, parts in (("inference", inference), ("generation", generation))
        }

    def amortise(self, batch, seed):
        return {"parameters": self.parameters_of(batch["x"])}

    def objectives(self, batch, context, latents, seed):
        draw = self.posterior_part.relaxed(
            context["parameters"],
            latents,
            self.num_samples,
            self.relaxation,
            samplers.fold_in(seed, "relaxed"),
            closed_form=self.num_samples == 1,
        )
        log_likelihood = self.likelihood(draw.zeta).log_prob(batch["x"])
        divergence = draw.log_q - self._log_prior(draw)
        log_weights = log_likelihood - self.warmup * divergence
        bound = tf.reduce_logsumexp(log_weights, 0) - math.log(self.num_samples)
        metrics = {"log_normalizer": self.rbm_prior.log_normalizer}
        if self.posterior_part.normalised:
            metrics |= {"bound": tf.reduce_mean(bound), "divergence": tf.reduce_mean(divergence)}
        if self.num_samples == 1:
            return {"bound": -tf.reduce_mean(log_weights)}, metrics
        shares = tf.stop_gradient(tf.nn.softmax(log_weights, 0))
        # Only the part of log w that q is in has a score term, which squares the share.
        doubly = self.warmup * shares**2 + (1 - self.warmup) * shares
        weighted = {"inference": doubly, "generation": shares}
        return {
            group: -tf.reduce_mean(tf.reduce_sum(share * log_weights, 0))
            for group, share in weighted.items()
        }, metrics

    def _log_prior(self, draw):
        """log p at relaxed bits, [S, B], with the gradient of log Z by particles."""
        rbm, log_normalizer = self.rbm_prior.rbm, self.rbm_prior.log_normalizer_surrogate()
        if not hasattr(self.relaxation, "log_ratio"):
            return rbm.log_density(draw.mean1, draw.mean2) - log_normalizer
        # The prior of zeta sums over bits: a bound on it at the means of their posterior given
        # zeta (Vahdat, Andriyash and Macready 2018, DVAE#, section 3.2).
        zeta = tf.split(draw.zeta, self.latent_dims, axis=-1)
        given_1 = [self.relaxation.log_ratio(side) for side in zeta]
        biases = [b + g for b, g in zip((rbm.bias1, rbm.bias2), given_1, strict=True)]
        tilted = samplers.RBM(*biases, rbm.weights)
        means = _mean_field(tilted)
        given_0 = tf.reduce_sum(self.relaxation.log_prob_given_0(draw.zeta), -1)
        return given_0 - samplers.mean_field_divergence(tilted, *means) - log_normalizer

    @property
    def warmup(self) -> tf.Tensor:
        """w, the weight of the divergence at this training step."""
        if not self.warmup_steps:
            return tf.constant(1.0)
        return tf.minimum(tf.cast(self.optimizer.iterations, tf.float32) / self.warmup_steps, 1.0)

    def next_state(self, statistics):
        # The same on all replicas, hence a seed of no replica.
        iteration = self.optimizer.iterations.value
        return self.rbm_prior.next_state(samplers.fold_in(self.seed, "particles", iteration))

    def fit(self, *args, **kwargs):
        history = super().fit(*args, **kwargs)
        self.prepare_scores(samplers.fold_in(self.seed, "log normalizer"))
        return history

    def prepare_scores(self, seed):
        """Estimates the prior's log Z anew, which training needs no value of."""
        estimate = self.rbm_prior.estimate_log_normalizer(seed)
        return {"log_normalizer": estimate.mean, "log_normalizer_stddev": estimate.stddev}

    def get_config(self):
        encoder = {"encoder": keras.saving.serialize_keras_object(self.encoder)}
        prior = self.rbm_prior.get_config()
        names = ("latent_dims", "num_particles", "num_sweeps", "particles")
        return (
            super().get_config()
            | encoder
            | {name: prior[name] for name in names}
            | {
                "relaxation": relaxation_config(self.relaxation),
                "num_samples": self.num_samples,
                "warmup_steps": self.warmup_steps,
            }
        )


@register(tiny={"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 2})
class DVAE(BinaryLatentModel):
    """A discrete VAE with a directed posterior of `num_groups` groups.

    With the piecewise linear relaxation the PWL baseline of Vahdat et al. (2020), with the concrete
    one GumBolt (Khoshaman and Amin 2018), with power functions DVAE# (Vahdat et al. 2018).

    Args:
      num_groups: L, groups of bits of which each depends on those before.
      **kwargs: as the base, but the posterior.
    """

    def __init__(self, encoder, decoder, *, latent_dims, num_groups: int = 1, **kwargs):
        check_latent_dims(latent_dims)
        posterior = DirectedPosterior(
            latent_dims, num_groups=num_groups, seed=kwargs.get("seed", 0) + 2000, name="posterior"
        )
        super().__init__(encoder, decoder, latent_dims=latent_dims, posterior=posterior, **kwargs)

    def get_config(self):
        return super().get_config() | {"num_groups": self.posterior_part.num_groups}


@register(tiny={"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 2})
class UndirectedDVAE(BinaryLatentModel):
    """DVAE##: the posterior of every image is an RBM, too, with chains that go on (alg. 1).

    At every visit an example's chains make `num_posterior_sweeps` Gibbs sweeps in its RBM, from
    where they were left; then relaxed ones, through which the gradient passes.

    Args:
      num_examples: of the training data; chains are kept by the example's number, `index`.
      num_posterior_sweeps: s, hard sweeps of a visit.
      num_relaxed_sweeps: t.
      num_increments: annealing steps when bits are drawn from scratch, for scores and new images.
      **kwargs: as the base, but the posterior; "power" and "exponential" relaxations are for
        directed posteriors.
    """

    def __init__(
        self,
        encoder,
        decoder,
        *,
        latent_dims,
        num_examples: int,
        num_posterior_sweeps: int = 10,
        num_relaxed_sweeps: int = 1,
        num_increments: int = 100,
        **kwargs,
    ):
        check_latent_dims(latent_dims)
        posterior = UndirectedPosterior(
            latent_dims,
            num_relaxed_sweeps=num_relaxed_sweeps,
            num_increments=num_increments,
            seed=kwargs.get("seed", 0) + 2000,
            name="posterior",
        )
        super().__init__(encoder, decoder, latent_dims=latent_dims, posterior=posterior, **kwargs)
        check_count(num_examples=num_examples, num_posterior_sweeps=num_posterior_sweeps)
        if hasattr(self.relaxation, "log_ratio"):
            raise UsageError(
                "relaxation must be 'piecewise_linear' or 'concrete' for an undirected posterior; "
                f"it was {relaxation_config(self.relaxation)['name']!r}."
            )
        self.num_examples, self.num_posterior_sweeps = num_examples, num_posterior_sweeps
        shape = (num_examples, self.num_samples, latent_dims[0])
        self.chains = self.add_weight(
            name="chains", shape=shape, initializer="zeros", trainable=False
        )
        u = samplers.uniform(shape, samplers.fold_in(self.seed, "chains"))
        self.chains.assign(tf.cast(u < 0.5, tf.float32))

    @classmethod
    def for_data(cls, data, **kwargs):
        """As the base; `num_examples` is that of the training data, unless given."""
        return super().for_data(data, **{"num_examples": data.num_examples["train"]} | kwargs)

    def sample_latents(self, batch, context, seed):
        """Side 1 of the hard draws, [K, B, n1]."""
        start = tf.gather(tf.convert_to_tensor(self.chains), batch["index"])
        z1, _ = samplers.gibbs(
            context["parameters"],
            tf.transpose(start, [1, 0, 2]),
            num_sweeps=self.num_posterior_sweeps,
            seed=seed,
        )
        return z1, {}

    def state_statistics(self, batch, latents, diagnostics):
        return {"index": batch["index"], "chains": tf.transpose(latents, [1, 0, 2])}

    def next_state(self, statistics):
        chains = written_rows(self.chains, statistics["index"], statistics["chains"])
        return [*super().next_state(statistics), (self.chains, chains)]

    def get_config(self):
        return super().get_config() | {
            "num_examples": self.num_examples,
            "num_posterior_sweeps": self.num_posterior_sweeps,
            "num_relaxed_sweeps": self.posterior_part.num_relaxed_sweeps,
            "num_increments": self.posterior_part.num_increments,
        }


_NUM_CANDIDATES = 100  # draws of the prior, among which a completion starts
_NUM_MEAN_FIELD_STEPS = 5


def _mean_field(rbm):
    """Means of both sides of an RBM for each row, without a gradient."""
    held = samplers.RBM(*map(tf.stop_gradient, rbm))
    start = tf.fill(tf.shape(held.bias1), 0.5)
    mean1, mean2 = samplers.mean_field(held, start, _NUM_MEAN_FIELD_STEPS)
    return tf.stop_gradient(mean1), tf.stop_gradient(mean2)
