"""Estimates of log p(x), and the figures that a report tells of them, however they were made."""

import math
from typing import NamedTuple

import numpy as np

import samplers
from zoo.core.abilities import defines

UNITS = {
    "log_likelihood": "nats per image",
    "log_likelihood_stderr": "nats, over images",
    "log_likelihood_chain_stderr": "nats, over chains",
    "bits_per_dim": "bits per pixel and channel",
}


class LogLikelihood(NamedTuple):
    """An estimate of the mean log p(x), in nats.

    Attributes:
      mean: over images.
      stderr: the standard error of `mean` over images, as if the estimates were exact.
      chain_stderr: the Monte Carlo standard error of `mean` over chains.
      per_image: the estimate of every image, [N], for comparisons that are paired by image.
      accept_rate: the mean acceptance probability of annealed chains; NaN without any.
      protocol: what was run, in words.
      effective_sample_size: of an image's importance weights, (sum w)^2 / sum w^2, the mean over
        images; NaN of annealed ones.
    """

    mean: float
    stderr: float
    chain_stderr: float
    per_image: np.ndarray
    accept_rate: float
    protocol: str
    effective_sample_size: float = math.nan


def log_likelihood_of(estimate: samplers.LogMeanWeight, **others) -> LogLikelihood:
    """The estimate whose weights have these means.

    Args:
      estimate: log p(x) of every image and its error, [N] each.
      **others: further attributes of a `LogLikelihood`.

    Returns:
      The estimate with its mean and its standard errors.
    """
    per_image, stderr = estimate
    return LogLikelihood(
        mean=float(per_image.mean()),
        stderr=float(samplers.standard_error(per_image)),
        chain_stderr=float(np.sqrt((stderr**2).sum()) / len(per_image)),
        per_image=per_image,
        **others,
    )


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
        "protocol": estimate.protocol,
    }
