"""The scores that every run reports: those of the registry that its model has."""

import dataclasses
import math
from typing import Any

import numpy as np

from zoo.core.annealing import Annealing
from zoo.core.checks import UsageError, check_count, check_count_or_0, check_flag
from zoo.core.failures import check_figures
from zoo.core.trainable import TrainableModel
from zoo.scores.chunks import collect_batch, prepare
from zoo.scores.registry import Scoring, registered_scores


def report(
    model: TrainableModel,
    data,
    *,
    num_images: int | None = None,
    num_simulated: int = 100,
    num_importance_samples: int = 5000,
    chunk_size: int = 100,
    seed: int = 0,
    skip_failed: bool = False,
    verbose: bool = True,
    **protocol,
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Computes all registered scores that a model has; `zoo.scores.units` tells their units.

    Args:
      model: a fitted model.
      data: an array of images, a dictionary of the model's fields, or a pipeline.
      num_images: the first so many images are scored; all by default.
      num_simulated: images that are simulated for the BDMC gap, at most as many as are scored; 0
        leaves it out.
      num_importance_samples: draws of the encoder, for the estimate beside the annealed one.
      chunk_size: images at a time.
      seed: int.
      skip_failed: whether chains whose weights are NaN, and images of which a figure is NaN, are
        left out.
      verbose: whether progress bars are shown.
      **protocol: `num_chains`, `num_increments`, `num_leapfrog_steps`, `start`, `schedule`, as
        `log_likelihood`.

    Returns:
      Figures by name, and the log-likelihood of every image, [N] (None of a model that has none).
      Of the present scores, in nats where they can be: `log_likelihood`, with
      `log_likelihood_stderr` over images and `log_likelihood_chain_stderr`, its Monte Carlo error;
      the same in `bits_per_dim`; `bdmc_gap` on simulated images; the one-sample `bound`, and the
      `importance_weighted_bound` of many samples of the encoder (which estimates the same as
      `log_likelihood`, too low where the encoder fits the posterior badly) with its mean
      `effective_sample_size` and the Pareto k of their tails; the `effective_chains` and the
      `pareto_k` of annealed weights, which 25 chains and more tell; `failed_chains`, how many were
      left out; the `accept_rate` of the model's own chain; `reconstruction_mse` of
      pixels in [0, 1]; and `log_normalizer` of models whose prior is an RBM. A score that the
      model does not have is None. The log-likelihood of models with discrete latents is the
      importance-weighted bound, as nothing can be annealed. Beside these stand the settings, and
      `warnings`: sentences on what cannot be trusted, each with the number to raise.

    Raises:
      UsageError: for data that the model does not take, or an argument out of its range.
      FloatingPointError: naming the images some of whose weights or figures are NaN, unless
        `skip_failed`.
    """
    settings = {
        "num_simulated": num_simulated,
        "num_importance_samples": num_importance_samples,
    }
    check_protocol(chunk_size=chunk_size, skip_failed=skip_failed, **settings, **protocol)
    batch = collect_batch(model, data, num_images)
    scoring = Scoring(
        model=model,
        batch=batch,
        prepared=prepare(model, seed),
        annealing=protocol,
        chunk_size=chunk_size,
        seed=seed,
        skip_failed=skip_failed,
        verbose=verbose,
        **settings,
    )
    figures, missing = {}, {}
    for score in registered_scores():
        if score.applies(model):
            figures = score.function(scoring) | figures
        else:
            missing |= dict.fromkeys(score.units)
    told = missing | {name: _told(name, value, skip_failed) for name, value in figures.items()}
    settings |= {"num_images": len(batch["x"]), "seed": seed, "warnings": scoring.warnings}
    return told | settings, figures.get("log_likelihood")


def check_protocol(
    *,
    num_images: int | None = None,
    num_simulated: int = 100,
    num_importance_samples: int = 5000,
    chunk_size: int = 100,
    skip_failed: bool = False,
    **protocol,
) -> None:
    """Refuses what `report` would refuse, before anything has run.

    Args:
      num_images: as `report`.
      num_simulated: as `report`.
      num_importance_samples: as `report`.
      chunk_size: as `report`.
      skip_failed: as `report`.
      **protocol: as `report`.

    Raises:
      UsageError: for an argument that `report` does not take, or out of its range.
    """
    check_count_or_0(num_simulated=num_simulated)
    counts = {
        "num_importance_samples": num_importance_samples,
        "chunk_size": chunk_size,
    }
    check_count(**counts, **({} if num_images is None else {"num_images": num_images}))
    check_flag(skip_failed=skip_failed)
    unknown = set(protocol) - {field.name for field in dataclasses.fields(Annealing)}
    if unknown:
        raise UsageError(f"evaluation does not take {', '.join(sorted(unknown))}.")
    Annealing(**protocol)


def _told(name, value, skip_failed):
    """A figure as JSON can hold it: the mean over images, and None for what is not known."""
    if isinstance(value, np.ndarray):
        check_figures(name, value, skip_failed=skip_failed)
        value = float(value[~np.isnan(value)].mean())
    return None if isinstance(value, float) and math.isnan(value) else value
