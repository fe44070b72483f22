"""Models whose prior is N(0, I): how many latents they have, and log p(x) by quadrature."""

from statistics import NormalDist

import numpy as np
import tensorflow as tf

from zoo.core.abilities import defines
from zoo.core.checks import UsageError


def num_latents(model) -> int:
    """Counts the latents of a model whose prior is N(0, I) over [K].

    Args:
      model: whose prior's density is compared with that of N(0, I).

    Returns:
      K.

    Raises:
      UsageError: if the prior is another one, or there is none.
    """
    if defines(model, "prior") and model.prior.event_shape.rank == 1:
        (size,) = model.prior.event_shape
        z = np.linspace(-2.0, 3.0, size, dtype=model.prior.dtype.as_numpy_dtype)
        expected = -0.5 * np.sum(z**2 + np.log(2 * np.pi))
        if np.isclose(model.prior.log_prob(z), expected, rtol=1e-4):
            return size
    raise UsageError(
        f"model must have one layer of latents with the prior N(0, I); {model.name!r} has not."
    )


def prior_quantiles(num_quantiles: int) -> np.ndarray:
    """Divides N(0, 1) into so many equal shares.

    Args:
      num_quantiles: the number of shares.

    Returns:
      Their midpoints in rising order, [num_quantiles].
    """
    shares = (np.arange(num_quantiles) + 0.5) / num_quantiles
    return np.array([NormalDist().inv_cdf(share) for share in shares], np.float32)


def quadrature_log_likelihood(model, x: np.ndarray, num_quantiles: int = 2000) -> np.ndarray:
    """Computes log p(x) of a model with one latent, the mean of p(x given z) over quantiles.

    Args:
      model: a model whose prior is N(0, 1).
      x: observations, [B, ...event].
      num_quantiles: values of z; enough of them resolve the narrowest posterior.

    Returns:
      log p(x) in nats, float64, [B].
    """
    z = prior_quantiles(num_quantiles)
    log_prob = model.likelihood(tf.constant(z[:, None, None])).log_prob(x)
    return tf.reduce_logsumexp(tf.cast(log_prob, tf.float64), axis=0).numpy() - np.log(len(z))
