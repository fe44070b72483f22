"""Checks of a model's chains and weights that a wrong one does not pass."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.abilities import defines
from zoo.core.annealing import Annealing

_MOST_BITS = 12
_PRIOR_DRAWS = 20_000
_CHAINS = ("hmc", "langevin", "gibbs", "annealed_importance_sampling")


def log_likelihood_error(model, batch: dict, num_samples: int = 20_000) -> tuple[float, float]:
    """How far the log of the mean of exp(log_weights) is from log p(x).

    The reference is the sum over all states of binary latents, and the mean of p(x given z) over
    draws of the prior for real ones. A model without `log_weights` is asked for annealed ones.

    Args:
      model: a latent-variable model with few latents.
      batch: what the model explains, of a few examples.
      num_samples: of the weights.

    Returns:
      The deviation of the mean over examples, and its standard error, in nats.
    """
    seed = samplers.as_seed(7)
    if defines(model, "log_weights"):
        log_weights = model.log_weights(batch, num_samples, seed)
    else:
        annealing = Annealing(100, 30, 3, start="prior")
        log_weights = tf.function(annealing.log_weights, autograph=False)(model, batch, seed)
    estimate = samplers.log_mean_weight(tf.cast(log_weights, tf.float64))
    reference, reference_stderr = _log_likelihood(model, batch)
    rounding = 1e-5 * np.abs(reference)  # of densities in single precision
    variance = estimate.stderr**2 + reference_stderr**2 + rounding**2
    stderr = np.sqrt(np.mean(variance) / len(variance))
    return float(np.mean(estimate.log_mean - reference)), float(stderr)


def make_weighable(model) -> None:
    """Sets an untrained model so that p(x) can be had by draws of its prior and of its proposal.

    The noise of real pixels gets wide, and so do encoders, which start narrow, and what they give
    comes to depend less on x: weights of a narrow proposal have no variance to speak of.

    Args:
      model: whose variables are changed.
    """
    config = model.get_config()
    for variable in model.observation_model.variables if "likelihood" in config else ():
        variable.assign(tf.zeros_like(variable))  # the logarithm of a scale
    for variable in model.trainable_variables:
        if any(name in variable.path for name in ("decoder", "prior")):
            continue
        if "bias" in variable.path:
            variable.assign(tf.where(variable <= -1, 0.5, variable))  # of log sigma
        elif "kernel" in variable.path:
            variable.assign(0.3 * variable)


def _log_likelihood(model, batch):
    """log p(x) and its standard error, by the prior alone."""
    if defines(model, "filtered"):  # by draws of the prior, step after step
        found = model.filtered(batch, _PRIOR_DRAWS, 8, proposal="prior", threshold=0.0)
        return samplers.log_mean_weight(found.log_weights)
    if not defines(model, "prior"):  # the posterior, which is conditional, is the prior, too
        states = samplers.binary_states(model.latent_dim)[:, None]
        size = tf.shape(batch["x"])[0]
        parameters = model.parameters_of(batch["x"])
        log_prior = model.posterior_part.log_density(parameters, tf.repeat(states, size, axis=1))
        log_prior = tf.cast(log_prior, tf.float64)
        log_prior -= tf.reduce_logsumexp(log_prior, 0)
        hidden = ~model.visible_field.only
        log_likelihood = tf.cast(model.log_prob_where(batch, states, hidden), tf.float64)
        return tf.reduce_logsumexp(log_prior + log_likelihood, 0), 0.0
    (size,) = model.prior.event_shape
    if not model.can_be_annealed and size <= _MOST_BITS:
        states = samplers.binary_states(size)[:, None]
        # Normalised here: what is stored of log Z may be an estimate.
        log_prior = tf.cast(model.prior.log_prob(states), tf.float64)
        log_prior -= tf.reduce_logsumexp(log_prior)
        log_likelihood = model.likelihood(states).log_prob(batch["x"])
        return tf.reduce_logsumexp(log_prior + tf.cast(log_likelihood, tf.float64), 0), 0.0
    z = model.prior.sample([_PRIOR_DRAWS, 1], samplers.as_seed(8))
    log_likelihood = model.likelihood(z).log_prob(batch["x"])
    return samplers.log_mean_weight(tf.cast(log_likelihood, tf.float64))


def moved_uphill(model, batch: dict) -> float | None:
    """How far the chain of a training step raises log p(x, z), in standard errors over examples.

    Chains that start at an encoder's draws are made to start far from the posterior, by its bias.

    Args:
      model: as it is before training; its encoder's last bias is changed.
      batch: what the model explains.

    Returns:
      The mean rise over where the chain starts by its standard error; None for a model that runs no
      chain of latents in a training step.
    """
    seed = samplers.as_seed(9)
    if "encoder" in model.get_config():
        # An encoder that gives the image itself leaves all to the posterior.
        owned = model.encoder.trainable_variables or model.posterior_part.trainable_variables
        bias = owned[-1]
        bias.assign(tf.where(tf.range(bias.shape[0]) < bias.shape[0] // 2, 30.0, bias))
    context = model.amortise(batch, seed)
    moved, _ = model.sample_latents(batch, context, seed)
    with chains_that_never_move():
        started, _ = model.sample_latents(batch, context, seed)
    moved, started = (_latents_of(model, latents) for latents in (moved, started))
    if moved is None or np.array_equal(moved, started):
        return None
    rise = model.log_joint(batch, moved) - model.log_joint(batch, started)
    rise = tf.reduce_mean(rise, 0).numpy().astype(np.float64)
    return rise.mean() / (rise.std(ddof=1) / np.sqrt(len(rise)))


def _latents_of(model, latents):
    """z, [S, B, K], among what a training step keeps of its chains; None if it is not there."""
    if not defines(model, "prior"):
        return None
    size = model.prior.event_shape[0]
    for value in tf.nest.flatten(latents):
        if tf.is_tensor(value) and value.shape.rank == 3 and value.shape[-1] == size:
            return value
    return None


@contextlib.contextmanager
def chains_that_never_move() -> Iterator[None]:
    """Within it every chain of `samplers` ends where it started: a deliberately wrong method."""

    def still(name):
        real = getattr(samplers, name)

        def chain(*args, **kwargs):
            if name == "gibbs":
                return args[1], real(*args, **kwargs | {"num_sweeps": 1})[1]
            if name == "langevin":
                return args[1]
            kwargs["step_size"] = tf.nest.map_structure(tf.zeros_like, kwargs["step_size"])
            return real(*args, **kwargs)

        return chain

    with contextlib.ExitStack() as stack:
        for name in _CHAINS:
            stack.enter_context(mock.patch.object(samplers, name, still(name)))
        yield
