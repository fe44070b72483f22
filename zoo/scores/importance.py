"""Importance-weighted bounds on log p(x), by draws of the model's own proposal."""

import math

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.checks import check_count
from zoo.core.compiled import compiled_method
from zoo.scores import estimates
from zoo.scores.chunks import collect_batch, in_chunks, prepare, preprocessed
from zoo.scores.estimates import LogLikelihood
from zoo.scores.registry import Scoring, register_score

_SAMPLES_AT_A_TIME = 100  # of every image of a chunk, so that memory does not grow


@register_score(
    units=estimates.UNITS
    | {
        "bound": "nats per example, one sample of the proposal",
        "importance_weighted_bound": "nats per example, many samples of the proposal",
        "effective_sample_size": "of so many, mean over images",
        "importance_pareto_k": "of these weights, mean over images; above 0.7 is bad",
    },
    needs=("log_weights",),
    rank=3,
)
def importance_scores(scoring: Scoring) -> dict:
    """Bounds by one and by many samples, which estimate log p(x) where nothing is annealed."""
    model, batch = scoring.model, scoring.batch
    bound = importance_weighted_bound(model, batch, **scoring.common)
    weighted = importance_weighted_bound(
        model,
        batch,
        num_samples=scoring.num_importance_samples,
        verbose=scoring.verbose,
        **scoring.common,
    )
    scoring.warnings.extend(
        told.replace("num_samples", "num_importance_samples") for told in weighted.warnings
    )
    return estimates.figures_of(model, weighted) | {
        "bound": bound.mean,
        "importance_weighted_bound": weighted.mean,
        "effective_sample_size": weighted.effective_sample_size,
        "importance_pareto_k": estimates.mean_shape(weighted.pareto_k),
    }


def importance_weighted_bound(
    model,
    data,
    *,
    num_samples: int = 1,
    num_images: int | None = None,
    chunk_size: int = 100,
    seed: int = 0,
    skip_failed: bool = False,
    verbose: bool = False,
) -> LogLikelihood:
    """The bound log mean exp of `num_samples` of the model's own log weights (Burda et al. 2016).

    With one sample it is the bound that variational training climbs; with thousands it is
    importance sampling of log p(x) with the encoder.

    Args:
      model: a fitted model that has `log_weights`.
      data: an array of images, a dictionary of the model's fields, or a pipeline.
      num_samples: draws of the proposal for each image.
      num_images: the first so many images are scored; all by default.
      chunk_size: images at a time.
      seed: int, also of the binarisation of grey levels.
      skip_failed: whether draws whose weights are NaN are left out, and counted.
      verbose: whether a progress bar is shown.

    Returns:
      The bound as an estimate of log p(x). There are no chains, so that `accept_rate` is NaN, and
      `chain_stderr` is the error over samples.

    Raises:
      UsageError: for data that the model does not take, or an argument out of its range.
      FloatingPointError: naming the images some of whose weights are NaN, unless `skip_failed`.
    """
    check_count(num_samples=num_samples, chunk_size=chunk_size)
    batch = preprocessed(model, collect_batch(model, data, num_images), seed)
    prepare(model, seed)
    num_rounds = -(-num_samples // _SAMPLES_AT_A_TIME)
    per_round = -(-num_samples // num_rounds)

    def run(batch, index):
        key = samplers.fold_in(seed, index[0])
        log_weights = _log_weights(model, batch, num_rounds, per_round, key)
        return samplers.weight_summary(log_weights[:num_samples])

    size = len(batch["x"])
    title = f"Importance-weighted bound: {size} images, {num_samples} samples"
    weights = in_chunks(run, (batch, np.arange(size)), chunk_size, title, verbose)
    return estimates.log_likelihood_of(
        weights,
        what="importance_weighted_bound",
        num_chains=num_samples,
        chains="samples",
        remedy="num_samples",
        skip_failed=skip_failed,
        accept_rate=math.nan,
        protocol=f"{num_samples} samples of the model's proposal",
    )


@compiled_method
def _log_weights(model, batch, num_rounds, num_samples, seed):
    """Of some rounds of so many samples each, [rounds * samples, B]; memory is that of one."""
    size = batch["x"].shape[0]
    log_weights = tf.map_fn(
        lambda k: model.log_weights(
            batch, num_samples, seed if num_rounds == 1 else samplers.fold_in(seed, k)
        ),
        tf.range(num_rounds),
        fn_output_signature=tf.TensorSpec([num_samples, size], batch["x"].dtype),
        parallel_iterations=1,
    )
    return tf.reshape(log_weights, [num_rounds * num_samples, size])
