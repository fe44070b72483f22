"""Estimates of log p(x), and the figures that a report tells of them, however they were made."""

from typing import NamedTuple

import numpy as np

import samplers
from zoo.core.abilities import defines
from zoo.core.failures import check_weights
from zoo.core.weighing import unequal_weights

UNITS = {
    "log_likelihood": "nats per example",
    "log_likelihood_stderr": "nats, over images",
    "log_likelihood_chain_stderr": "nats, over chains",
    "bits_per_dim": "bits per pixel and channel",
    "failed_chains": "left out, NaN weights, of all images",
}


class LogLikelihood(NamedTuple):
    """An estimate of the mean log p(x), in nats.

    Attributes:
      mean: over images.
      stderr: the standard error of `mean` over images, as if the estimates were exact.
      chain_stderr: the Monte Carlo standard error of `mean` over chains.
      per_image: the estimate of every image, [N], for comparisons that are paired by image; NaN
        where all of its chains failed, and were to be left out.
      accept_rate: the mean acceptance probability of annealed chains; NaN without any.
      protocol: what was run, in words.
      effective_sample_size: of every image's weights, (sum w)^2 / sum w^2, [N].
      pareto_k: the shape of the upper tail of every image's weights, [N], as
        `samplers.pareto_shape` has it: above 0.7 `chain_stderr` cannot be trusted. NaN of fewer
        than 25 weights, which cannot tell.
      failed_chains: how many were left out, whose weights were NaN.
      warnings: sentences on what cannot be trusted, each with the number to raise.
    """

    mean: float
    stderr: float
    chain_stderr: float
    per_image: np.ndarray
    accept_rate: float
    protocol: str
    effective_sample_size: np.ndarray
    pareto_k: np.ndarray
    failed_chains: int = 0
    warnings: tuple[str, ...] = ()


def log_likelihood_of(
    weights: samplers.WeightSummary,
    *,
    what: str,
    num_chains: int,
    chains: str,
    remedy: str,
    skip_failed: bool,
    **others,
) -> LogLikelihood:
    """The estimate whose weights have this summary.

    Args:
      weights: of every image, [N] each.
      what: is estimated, which errors and warnings name.
      num_chains: weights of an image.
      chains: what has a weight, in the plural.
      remedy: the argument that is to be raised where weights are too unequal.
      skip_failed: whether weights that are NaN are left out.
      **others: `accept_rate` and `protocol`.

    Returns:
      The estimate with its mean and its standard errors.

    Raises:
      FloatingPointError: if weights are NaN, and are not to be left out.
    """
    check_weights(what, weights.num_failed, num_chains, skip_failed=skip_failed, chains=chains)
    left = ~np.isnan(weights.log_mean)  # all, unless all chains of an image failed
    per_image, stderr = weights.log_mean[left], weights.stderr[left]
    return LogLikelihood(
        mean=float(per_image.mean()),
        stderr=float(samplers.standard_error(per_image)),
        chain_stderr=float(np.sqrt((stderr**2).sum()) / len(per_image)),
        per_image=weights.log_mean,
        effective_sample_size=weights.effective_sample_size,
        pareto_k=weights.pareto_k,
        failed_chains=int(weights.num_failed.sum()),
        warnings=tuple(_warnings(weights, what, num_chains, chains, remedy)),
        **others,
    )


def _warnings(weights, what, num_chains, chains, remedy):
    for of, count in {"images": len(weights.log_mean), chains: num_chains}.items():
        if count == 1:
            yield f"{what}: its error over {of} is unknown, since there was one."
    told = {"what": what, "num_weights": num_chains, "kind": chains, "remedy": remedy}
    yield from unequal_weights(weights.effective_sample_size, weights.pareto_k, **told)


def mean_shape(pareto_k: np.ndarray) -> float | None:
    """The mean of the shapes that are known; None if none is."""
    known = pareto_k[~np.isnan(pareto_k)]
    return float(known.mean()) if len(known) else None


def figures_of(model, estimate: LogLikelihood) -> dict:
    """What a report tells of an estimate: the figures that `UNITS` names, and the protocol.

    Args:
      model: whose images were scored.
      estimate: of their log-likelihood.

    Returns:
      Figures by name; `bits_per_dim` is None where observations are real numbers.
    """
    has_bits = defines(model, "bits_per_dim")
    return {
        "log_likelihood": estimate.per_image,
        "log_likelihood_stderr": estimate.stderr,
        "log_likelihood_chain_stderr": estimate.chain_stderr,
        "bits_per_dim": model.bits_per_dim(estimate.mean) if has_bits else None,
        "failed_chains": estimate.failed_chains,
        "protocol": estimate.protocol,
    }
