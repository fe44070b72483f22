"""Estimates of log p(x) of sequences by particle filters, and what a step has of them."""

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.abilities import defines
from zoo.core.compiled import compiled_method
from zoo.core.failures import check_figures
from zoo.scores.chunks import in_chunks, preprocessed
from zoo.scores.registry import Scoring, register_score

_MOST_PARTICLES = 100


@register_score(
    units={
        "particle_filter": "nats per sequence, at most 100 particles drawn from q",
        "bootstrap_filter": "nats per sequence, as many drawn from the prior",
        "particle_filter_per_step": "nats per step",
        "bound_per_step": "nats per step",
        "share_at_floor": "of the emission's scales, over steps",
    },
    needs=("filtered",),
)
def sequence_scores(scoring: Scoring) -> dict:
    """Filters whose particles are drawn again where weights are unequal, so that on long sequences
    they are above importance sampling, and like it too low on average (Maddison et al. 2017).
    """
    model, seed = scoring.model, scoring.seed
    batch = preprocessed(model, scoring.batch, seed)
    size, figures = len(batch["x"]), {"share_at_floor": None}
    # All at once, so not the thousands that importance sampling may have.
    num_particles = min(scoring.num_importance_samples, _MOST_PARTICLES)
    for name, proposal in (("particle_filter", "posterior"), ("bootstrap_filter", "prior")):

        def run(batch, index, proposal=proposal):
            key = samplers.fold_in(seed, "filter", index[0])
            return _estimates(model, batch, num_particles, proposal, key)

        title = f"{name}: {size} sequences, {num_particles} particles"
        arrays = batch, np.arange(size)
        figures[name] = in_chunks(run, arrays, scoring.chunk_size, title, scoring.verbose)

    def run(batch, index):
        return _of_one_path(model, batch, samplers.fold_in(seed, "path", index[0]))

    title = "Bounds by step"
    arrays = batch, np.arange(size)
    told = in_chunks(run, arrays, scoring.chunk_size, title, scoring.verbose)
    told["particle_filter_per_step"] = figures["particle_filter"]
    for name, sums in told.items():
        check_figures(name, sums, skip_failed=scoring.skip_failed)
        figures[name] = float(np.nansum(sums) / batch["length"][~np.isnan(sums)].sum())
    return figures


@compiled_method
def _estimates(model, batch, num_particles, proposal, seed):
    found = model.filtered(batch, num_particles, seed, proposal=proposal)
    return tf.reduce_sum(found.increments, 0)


@compiled_method
def _of_one_path(model, batch, seed):
    """Sums over the steps of each sequence, [B]."""
    path = model.unroll(batch, 1, seed)
    told = {"bound_per_step": path.log_likelihood - model.kl_by_step(path)}
    if defines(model.emission, "share_at_floor"):
        outputs = model.emission_outputs(model.latent_features(path.z), path.summary)
        told["share_at_floor"] = path.is_step * model.emission.share_at_floor(outputs)
    return {name: tf.reduce_sum(value[:, 0], 0) for name, value in told.items()}
