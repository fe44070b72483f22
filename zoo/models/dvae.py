"""Discrete variational autoencoders with RBM priors (Rolfe 2017; Vahdat et al. 2018, 2020)."""

from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
from zoo.core.checks import UsageError, check_choice, check_count_or_0
from zoo.core.latent import agreement, start_diagnostics
from zoo.core.registry import Paper, register
from zoo.models.binary_latent import BinaryLatentModel
from zoo.models.deep_latent import variables_of
from zoo.parts.binary_prior import BinaryPrior
from zoo.parts.binary_priors import get_binary_prior

tfd = tfp.distributions


VAHDAT_2018 = Paper(
    authors=("Vahdat, Arash", "Andriyash, Evgeny", "Macready, William G."),
    title="DVAE#: Discrete Variational Autoencoders with Relaxed Boltzmann Priors",
    year=2018,
    venue="Advances in Neural Information Processing Systems",
)
VAHDAT_2020 = Paper(
    authors=("Vahdat, Arash", "Andriyash, Evgeny", "Macready, William G."),
    title="Undirected Graphical Models as Approximate Posteriors",
    year=2020,
    venue="Proceedings of the 37th International Conference on Machine Learning",
)
KHOSHAMAN_2018 = Paper(
    authors=("Khoshaman, Amir H.", "Amin, Mohammad H."),
    title="GumBolt: Extending Gumbel Trick to Boltzmann Priors",
    year=2018,
    venue="Advances in Neural Information Processing Systems",
)
VAHDAT_2018B = Paper(
    authors=(
        "Vahdat, Arash",
        "Macready, William G.",
        "Bian, Zhengbing",
        "Khoshaman, Amir",
        "Andriyash, Evgeny",
    ),
    title="DVAE++: Discrete Variational Autoencoders with Overlapping Transformations",
    year=2018,
    venue="Proceedings of the 35th International Conference on Machine Learning",
)
MADDISON_2017 = Paper(
    authors=("Maddison, Chris J.", "Mnih, Andriy", "Teh, Yee Whye"),
    title="The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables",
    year=2017,
    venue="International Conference on Learning Representations",
)
KLS = ("bits", "relaxed")


@register(
    tiny={"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 2},
    variants={
        "undirected": {"posterior": "undirected"},
        "concrete": {
            "prior": "independent",
            "relaxation": {"name": "concrete", "beta": 1.5},
            "kl": "relaxed",
        },
    },
    paper=(VAHDAT_2018, VAHDAT_2020, VAHDAT_2018B, KHOSHAMAN_2018, MADDISON_2017),
)
class DVAE(BinaryLatentModel):
    """Discrete VAE: bits, with an RBM or independence as prior, a directed posterior or an RBM.

    Methods differ in posterior, prior, relaxation, and in what the KL is of:

    | method | posterior | relaxation | kl | prior |
    |---|---|---|---|---|
    | PWL (Vahdat et al. 2020) | directed | piecewise_linear | bits | rbm |
    | DVAE## (Vahdat et al. 2020) | undirected | piecewise_linear | bits | rbm |
    | GumBolt (Khoshaman and Amin 2018) | directed | concrete | bits | rbm |
    | DVAE++ (Vahdat et al. 2018b) | directed | exponential | bits | rbm |
    | DVAE# (Vahdat et al. 2018) | directed | power | relaxed | rbm |
    | Concrete (Maddison et al. 2017) | directed | concrete, beta 1.5 | relaxed | independent, 2 |

    Training climbs, at relaxed bits zeta, log p(x given zeta) - w KL(q || p), with w growing from 0
    to 1 (Vahdat et al. 2020, eq. 3), the KL in closed form where it can be; or with several samples
    the importance-weighted bound, the encoder by the doubly reparameterised gradient (Tucker et al.
    2019; Vahdat et al. 2020, section 5.2). Scores are of bits, never of relaxed ones.

    Args:
      prior: "rbm", "independent", a dictionary of such a `name` and the arguments of
        `zoo.parts.RBMPrior` or `zoo.parts.IndependentPrior`, or an object.
      kl: "bits", where relaxed ones stand in for them, or where either bit may have given zeta the
        mean of what it was; or "relaxed", between densities of zeta. None is "relaxed" where either
        bit may have given zeta (the relaxations "power" and "exponential"), and else "bits".
      warmup_steps: training steps in which w grows from 0 to 1; it is 1 in evaluation.
      num_particles: of an RBM prior, as `zoo.parts.RBMPrior`; the next two likewise.
      num_sweeps: Gibbs sweeps of the particles after a training step.
      particles: "population" or "persistent".
      **kwargs: as the base.

    Raises:
      UsageError: as the base, and where `kl` asks for a density that there is not, or for weights
        of bits of several samples whose zeta overlap.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        latent_dims: Sequence[int],
        prior: str | dict | BinaryPrior = "rbm",
        kl: str | None = None,
        warmup_steps: int = 0,
        num_particles: int = 1000,
        num_sweeps: int = 40,
        particles: str = "population",
        **kwargs,
    ):
        super().__init__(encoder, decoder, latent_dims=latent_dims, **kwargs)
        check_count_or_0(warmup_steps=warmup_steps)
        self.warmup_steps = warmup_steps
        self.prior_part = get_binary_prior(
            prior,
            latent_dims=latent_dims,
            num_particles=num_particles,
            num_sweeps=num_sweeps,
            particles=particles,
            seed=self.seed,
            name="prior",
            dtype=self.dtype,
        )
        if self.prior_part.latent_dims != self.latent_dims:
            raise UsageError(
                f"prior must be over latent_dims, {self.latent_dims}; "
                f"it is over {self.prior_part.latent_dims}."
            )
        self.prior_part.belong("prior")
        self.kl = self._checked_kl(kl)

    def _checked_kl(self, kl):
        relaxation = self.relaxation
        if kl is None:
            kl = "relaxed" if relaxation.overlapping else "bits"
        check_choice("kl", kl, KLS)
        if kl == "bits" and relaxation.overlapping and self.num_samples > 1:
            raise UsageError(
                f"num_samples must be 1 where kl is of bits and draws of either bit overlap, as by "
                f"{type(relaxation).__name__}, which have no weights as bits; it was "
                f"{self.num_samples}."
            )
        if kl == "relaxed":
            if not (relaxation.has_density and self.posterior_part.normalised):
                raise UsageError(
                    f"kl must be 'bits' where the relaxation, {type(relaxation).__name__}, or the "
                    f"posterior, {type(self.posterior_part).__name__}, gives zeta no density; it "
                    f"was {kl!r}."
                )
            self.prior_part.check_relaxation(relaxation)
        return kl

    @property
    def prior(self) -> tfd.Distribution:
        """p(z) over [n1 + n2], z1 and then z2, as normalised as log Z is known."""
        return self.prior_part.distribution(self.latent_dim)

    @property
    def prior_rbm(self) -> samplers.RBM:
        """The RBM that is the prior, up to its log Z; of independent bits without couplings."""
        return self.prior_part.rbm

    def propose(self, batch, num_samples, seed):
        """As the base, by draws of q(z given x), with weights of their own if it is an RBM."""
        return self.posterior_part.propose(self.parameters_of(batch["x"]), num_samples, seed)

    def complete(self, batch, visible, num_samples, num_steps, seed):
        """As the base, by a chain for bits.

        It starts at one of 100 draws of the prior, by their likelihood. Then each of its
        `num_steps` transitions draws the hidden pixels given z, and proposes a move that leaves
        q(z given all pixels) alone, accepted so that p(z given all pixels) is left alone, too
        (Metropolis within Gibbs: Mattei and Frellsen 2018).
        """
        x = batch["x"]
        start = samplers.finite_start(
            lambda z: self.log_joint(batch, z, visible),
            lambda key: self._start(batch, num_samples, visible, key),
            samplers.fold_in(seed, "start"),
        )

        show = self.shown(batch, num_samples, visible)

        def transition(i, z, accepted, halves):
            key = samplers.fold_in(seed, "transition", i)
            pixels = self.likelihood(z).sample(seed=samplers.fold_in(key, "pixels"))
            whole = tf.where(visible, x, pixels)
            rows = tf.reshape(whole, [-1, *x.shape[1:]])
            flat = tf.reshape(z, [1, -1, self.latent_dim])
            new, log_ratio = self.posterior_part.move(
                self.parameters_of(rows), flat, samplers.fold_in(key, "move")
            )
            log_ratio += self.log_joint({"x": rows}, new) - self.log_joint({"x": rows}, flat)
            u = samplers.uniform(tf.shape(log_ratio), samplers.fold_in(key, "accept"), x.dtype)
            accept = tf.math.log(u) < log_ratio
            new = tf.reshape(tf.where(accept[..., None], new, flat), tf.shape(z))
            accepted += tf.reduce_mean(tf.reshape(tf.cast(accept, x.dtype), [num_samples, -1]), 0)
            new = tf.ensure_shape(new, z.shape)
            if show is not None:
                halves = samplers.add_to_halves(halves, show(new), i, num_steps)
            return i + 1, new, accepted, halves

        halves = () if show is None else samplers.no_halves(show(start.state))
        _, z, accepted, halves = tf.while_loop(
            lambda i, *_: i < num_steps,
            transition,
            (0, start.state, tf.zeros([tf.shape(x)[0]], x.dtype), halves),
            parallel_iterations=1,
        )
        rate = {"accept_rate": accepted / tf.cast(num_steps, x.dtype)}
        return z, rate | start_diagnostics(start) | agreement(halves, num_steps)

    def _start(self, batch, num_samples, visible, seed):
        candidates = self.prior.sample([_NUM_CANDIDATES, 1], samplers.fold_in(seed, "prior"))
        log_likelihood = self.log_prob_where(batch, candidates, visible)
        # Of any number of logits that are NaN, one would be drawn as if it were the best.
        worst = tf.constant(log_likelihood.dtype.min, log_likelihood.dtype)
        log_likelihood = tf.where(tf.math.is_finite(log_likelihood), log_likelihood, worst)
        chosen = tf.random.stateless_categorical(
            tf.transpose(log_likelihood), num_samples, samplers.fold_in(seed, "choice")
        )
        return tf.gather(candidates[:, 0], tf.transpose(chosen))

    # Training.

    @property
    def parameter_groups(self):
        if self.num_samples == 1:
            return {"bound": self.trainable_variables}
        return {
            "inference": variables_of(self.encoder, self.posterior_part),
            "generation": variables_of(self.decoder, self.prior_part, self.observation_model),
        }

    def objectives(self, batch, context, latents, seed):
        draw = self.relaxed_draw(context, latents, seed, self._form)
        log_likelihood = self.likelihood(draw.zeta).log_prob(batch["x"])
        kl = draw.log_q - self._log_prior(draw)
        log_weights = log_likelihood - self.warmup * kl
        metrics = {"log_normalizer": self.prior_part.log_normalizer}
        if self.posterior_part.normalised:  # whatever the warm-up
            metrics |= {"bound": tf.reduce_mean(log_likelihood - kl), "kl": tf.reduce_mean(kl)}
        if self.num_samples == 1:
            return {"bound": -tf.reduce_mean(log_weights)}, metrics
        shares = tf.stop_gradient(tf.nn.softmax(log_weights, 0))
        metrics["effective_sample_size"] = samplers.effective_sample_size(shares)
        if self.posterior_part.normalised:
            metrics["importance_weighted_bound"] = samplers.log_mean_exp(log_likelihood - kl)
        # Only the part of log w that q is in has a score term, which squares the share.
        doubly = self.warmup * shares**2 + (1 - self.warmup) * shares
        weighted = {"inference": doubly, "generation": shares}
        return {
            group: -tf.reduce_mean(tf.reduce_sum(share * log_weights, 0))
            for group, share in weighted.items()
        }, metrics

    @property
    def _form(self):
        """As the posterior's `relaxed` has it."""
        if self.kl == "relaxed":
            return "density"
        return "expectation" if self.num_samples == 1 else "mass"

    def _log_prior(self, draw):
        """log p at relaxed bits, [S, B], with the gradient of log Z."""
        if self.kl == "relaxed":
            return self.prior_part.relaxed_log_prob(draw.at, self.relaxation)
        log_prior = self.log_prior_of_bits(draw.at)
        if draw.mean is None:
            return log_prior
        biases = tf.concat([self.prior_rbm.bias1, self.prior_rbm.bias2], 0)
        return log_prior + tf.linalg.matvec(draw.mean - draw.at, biases)

    def log_prior_of_bits(self, z: tf.Tensor) -> tf.Tensor:
        """Scores bits in training.

        Args:
          z: bits, or what stands for them, [S, B, n1 + n2].

        Returns:
          log p(z) in nats, [S, B], with log Z as training knows it, and its gradient.
        """
        sides = tf.split(z, self.latent_dims, axis=-1)
        return self.prior_rbm.log_density(*sides) - self.prior_part.log_normalizer_surrogate()

    @property
    def warmup(self) -> tf.Tensor:
        """w, the weight of the KL at this training step."""
        return self.share_done(self.warmup_steps)

    def next_state(self, statistics):
        # The same on all replicas, hence a seed of no replica.
        seed = samplers.fold_in(self.seed, "particles", self.training_step.value)
        return self.prior_part.next_state(seed) + super().next_state(statistics)

    def prepare_for_scores(self, seed):
        """As the base: the prior's log Z, unless it is known at these weights and by this seed."""
        estimate = self.prior_part.estimate_log_normalizer(seed, jit_compile=self.compile_chains)
        return {"log_normalizer": estimate.mean, "log_normalizer_stddev": estimate.stddev}

    def prepared_state(self, prepared):
        return self.prior_part.prepared_state(prepared["log_normalizer"])

    def get_config(self):
        return super().get_config() | {
            "prior": keras.saving.serialize_keras_object(self.prior_part),
            "kl": self.kl,
            "warmup_steps": self.warmup_steps,
        }


_NUM_CANDIDATES = 100  # draws of the prior, among which a completion starts
