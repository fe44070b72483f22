"""log p(x) by annealed importance sampling, and bounds on it by bidirectional Monte Carlo."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.annealing import Annealing
from zoo.core.checks import UsageError, check_count
from zoo.core.failures import check_weights
from zoo.scores import estimates
from zoo.scores.chunks import collect_batch, in_chunks, prepare, preprocessed
from zoo.scores.estimates import LogLikelihood
from zoo.scores.registry import Scoring, register_score


class BDMC(NamedTuple):
    """Bounds on the mean log p(x) of simulated images, in nats; between them lies the truth.

    Attributes:
      lower: the mean over images of the forward estimates, which are too low on average.
      upper: the mean of the reverse estimates, which are too high on average.
      gap: upper - lower, which bounds the error of both.
      gap_stderr: its standard error over images.
      protocol: what was run, in words.
      failed_chains: how many were left out, whose weights were NaN.
    """

    lower: float
    upper: float
    gap: float
    gap_stderr: float
    protocol: str
    failed_chains: int = 0


@register_score(
    units=estimates.UNITS
    | {
        "bdmc_gap": "nats, on simulated images",
        "bdmc_gap_stderr": "nats, over simulated images",
        "effective_chains": "of so many, mean over images",
        "pareto_k": "of annealed weights, mean over images; above 0.7 is bad",
    },
    needs=("can_be_annealed",),
    rank=2,
)
def annealed_scores(scoring: Scoring) -> dict:
    """The log-likelihood by annealing, and the gap that bounds its error on simulated images."""
    settings = scoring.common | {"verbose": scoring.verbose} | scoring.annealing
    estimate = log_likelihood(scoring.model, scoring.batch, **settings)
    scoring.warnings.extend(estimate.warnings)
    figures = estimates.figures_of(scoring.model, estimate) | {
        "effective_chains": estimate.effective_sample_size,
        "pareto_k": estimates.mean_shape(estimate.pareto_k),
        "failed_chains": estimate.failed_chains,
        "bdmc_gap": None,
        "bdmc_gap_stderr": None,
    }
    # Of few images the gap need not be known better than their likelihood.
    num_simulated = min(scoring.num_simulated, len(scoring.batch["x"]))
    if not num_simulated:
        return figures
    bounds = bidirectional(scoring.model, num_images=num_simulated, **settings)
    return figures | {
        "failed_chains": estimate.failed_chains + bounds.failed_chains,
        "bdmc_gap": bounds.gap,
        "bdmc_gap_stderr": bounds.gap_stderr,
    }


def log_likelihood(
    model,
    data,
    *,
    num_images: int | None = None,
    chunk_size: int = 100,
    seed: int = 0,
    skip_failed: bool = False,
    verbose: bool = True,
    **protocol,
) -> LogLikelihood:
    """Estimates log p(x) by annealed importance sampling (Neal 2001; Wu et al. 2017).

    Grey levels are binarised once, by `seed`, where the model explains binary images.

    Args:
      model: a fitted latent-variable model.
      data: an array of images, a dictionary of the model's fields, or a pipeline.
      num_images: the first so many images are scored; all by default.
      chunk_size: images at a time.
      seed: int.
      skip_failed: whether chains whose weights are NaN are left out, and counted. Weights of 0,
        where a chain met a density of 0, count as they are.
      verbose: whether a progress bar is shown.
      **protocol: `num_chains`, `num_increments`, `num_leapfrog_steps`, `start` (by
        default the model's own) and `schedule`, as `zoo.core.annealing.Annealing`.

    Returns:
      The estimate, with its errors over images and over chains.

    Raises:
      UsageError: for data that the model does not take, an argument out of its range, or a model
        that cannot be annealed.
      FloatingPointError: naming the images some of whose weights are NaN, unless `skip_failed`.
    """
    batch = collect_batch(model, data, num_images)
    check_count(chunk_size=chunk_size)
    annealing = _annealing(model, protocol)
    prepare(model, seed)
    batch = preprocessed(model, batch, seed)

    def run(batch, index):
        forward, _ = annealing.run(model, batch, samplers.fold_in(seed, "anneal", index[0]))
        return samplers.weight_summary(forward.log_weights), tf.reduce_mean(
            forward.accept_prob, [0, 1]
        )

    size = len(batch["x"])
    title = f"AIS: {size} images, {annealing}"
    weights, accept_prob = in_chunks(run, (batch, np.arange(size)), chunk_size, title, verbose)
    return estimates.log_likelihood_of(
        weights,
        what="log_likelihood",
        num_chains=annealing.num_chains,
        chains="chains",
        remedy="num_increments",
        skip_failed=skip_failed,
        accept_rate=float(accept_prob.mean()),
        protocol=str(annealing),
    )


def bidirectional(
    model,
    *,
    num_images: int = 100,
    chunk_size: int = 100,
    seed: int = 0,
    skip_failed: bool = False,
    verbose: bool = True,
    **protocol,
) -> BDMC:
    """Bounds log p(x) from both sides on images simulated from the model (Grosse et al. 2015).

    z* ~ p(z), x ~ p(x given z*): z* is an exact draw of p(z given x). Annealing forward to p(x, z)
    bounds log p(x) from below, annealing back from z* bounds it from above, in expectation. The
    gap tells how far estimates with the same protocol are off, on images like those simulated.

    Args:
      model: a fitted latent-variable model.
      num_images: so many images are simulated.
      chunk_size: images at a time.
      seed: int.
      skip_failed: whether chains whose weights are NaN are left out, and counted. Weights of 0,
        where a chain met a density of 0, count as they are.
      verbose: whether a progress bar is shown.
      **protocol: as `log_likelihood`.

    Returns:
      The mean bounds, and the gap between them with its error over images.

    Raises:
      UsageError: for an argument out of its range, or a model that cannot be annealed.
      FloatingPointError: as `log_likelihood`.
    """
    check_count(num_images=num_images, chunk_size=chunk_size)
    annealing = _annealing(model, protocol)
    prepare(model, seed)

    z = model.prior.sample([1, num_images], samplers.fold_in(seed, "simulate z"))
    x = model.likelihood(z).sample(seed=samplers.fold_in(seed, "simulate x"))

    def run(z, x, index):
        key = samplers.fold_in(seed, "anneal", index[0])
        forward, backward = annealing.run(model, {"x": x}, key, exact=z)
        return [samplers.weight_summary(way.log_weights) for way in (forward, backward)]

    z, x = (draws[0].numpy() for draws in (z, x))
    title = f"BDMC: {num_images} simulated images, {annealing}"
    ways = in_chunks(run, (z, x, np.arange(num_images)), chunk_size, title, verbose)
    num_failed = sum(weights.num_failed for weights in ways)
    num_chains = len(ways) * annealing.num_chains
    check_weights("bidirectional", num_failed, num_chains, skip_failed=skip_failed)
    lower, upper = ways[0].log_mean, -ways[1].log_mean
    left = ~np.isnan(upper - lower)  # all, unless all chains of an image failed
    lower, upper = lower[left], upper[left]
    return BDMC(
        lower=float(lower.mean()),
        upper=float(upper.mean()),
        gap=float((upper - lower).mean()),
        gap_stderr=float(samplers.standard_error(upper - lower)),
        protocol=str(annealing),
        failed_chains=int(num_failed.sum()),
    )


def _annealing(model, protocol):
    """The protocol with these settings, which starts where the model's own does by default."""
    if not model.can_be_annealed:
        raise UsageError(
            f"model {model.name!r} has no latents of a prior that can be annealed; use "
            "importance_weighted_bound."
        )
    return Annealing(**{"start": model.protocol.start} | protocol)
