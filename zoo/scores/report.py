"""The figures that every run reports."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.abilities import defines
from zoo.core.annealing import Annealing
from zoo.core.checks import UsageError, check_count
from zoo.core.latent import LatentVariableModel
from zoo.scores.chunks import collect, in_chunks, observed
from zoo.scores.likelihood import bidirectional, importance_weighted_bound, log_likelihood


def report(
    model: LatentVariableModel,
    data,
    *,
    num_images: int | None = None,
    num_simulated: int = 100,
    num_importance_samples: int = 5000,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
    **protocol,
) -> tuple[dict[str, float | None], np.ndarray]:
    """Scores a model on images.

    Args:
      model: a fitted latent-variable model.
      data: an array or a pipeline of images.
      num_images: the first so many images; all by default.
      num_simulated: simulated images for the BDMC gap.
      num_importance_samples: of the encoder, for the estimate beside the annealed one.
      chunk_size: images at a time.
      seed: int.
      verbose: whether to show progress bars.
      **protocol: `num_chains`, `num_increments`, `num_leapfrog_steps`, `start`, `schedule`, as
        `log_likelihood`.

    Returns:
      A dictionary, in nats where it can be: `log_likelihood` with `log_likelihood_stderr` over
      images, the same in `bits_per_dim`, `bdmc_gap` on simulated images, the one-sample `bound`,
      the `importance_weighted_bound` of many samples of the encoder (which estimates the same as
      `log_likelihood`, too low where the encoder fits the posterior badly), and its
      `effective_sample_size` of an image, on average,
      the `accept_rate` of the model's own chain, `reconstruction_mse` of pixels in [0, 1]; None
      for what a model has not. Models of discrete latents have no annealed estimate: theirs is the
      importance-weighted one; with an RBM as prior there is `log_normalizer`, too. And the
      log-likelihood of every image, [N].
    """
    check_protocol(
        num_simulated=num_simulated,
        num_importance_samples=num_importance_samples,
        chunk_size=chunk_size,
        **protocol,
    )
    x = collect(model, data, num_images)
    common = {"chunk_size": chunk_size, "seed": seed, "verbose": verbose}
    prepared = model.prepare_for_scores(samplers.fold_in(seed, "prepare"))
    bound, weighted, bdmc = None, None, None
    if defines(model, "log_weights"):
        bound = importance_weighted_bound(model, x, chunk_size=chunk_size, seed=seed)
        weighted = importance_weighted_bound(model, x, num_samples=num_importance_samples, **common)
    if model.can_be_annealed:
        estimate = log_likelihood(model, x, **common, **protocol)
        bdmc = bidirectional(model, num_images=num_simulated, **common, **protocol)
    else:
        estimate = weighted
    accept_rate, mse = _inference(model, x, chunk_size, seed)
    figures = {
        "log_likelihood": estimate.mean,
        "log_likelihood_stderr": estimate.stderr,
        "log_likelihood_chain_stderr": estimate.chain_stderr,
        "bits_per_dim": model.bits_per_dim(estimate.mean),
        "bdmc_gap": bdmc and bdmc.gap,
        "bdmc_gap_stderr": bdmc and bdmc.gap_stderr,
        "bound": bound and bound.mean,
        "importance_weighted_bound": weighted and weighted.mean,
        "effective_sample_size": weighted and weighted.effective_sample_size,
        "num_importance_samples": num_importance_samples,
        "accept_rate": accept_rate,
        "reconstruction_mse": mse,
        "num_images": len(x),
        "num_simulated": num_simulated,
        "protocol": estimate.protocol,
        "seed": seed,
    } | prepared
    unknown = {k for k, v in figures.items() if isinstance(v, float) and math.isnan(v)}
    return {k: None if k in unknown else v for k, v in figures.items()}, estimate.per_image


def check_protocol(
    *,
    num_images: int | None = None,
    num_simulated: int = 100,
    num_importance_samples: int = 5000,
    chunk_size: int = 100,
    **protocol,
) -> None:
    """Refuses what `report` would refuse, before anything has run.

    Raises:
      UsageError: for an argument that `report` does not take, or out of its range.
    """
    counts = {
        "num_simulated": num_simulated,
        "num_importance_samples": num_importance_samples,
        "chunk_size": chunk_size,
    }
    check_count(**counts, **({} if num_images is None else {"num_images": num_images}))
    unknown = set(protocol) - {field.name for field in dataclasses.fields(Annealing)}
    if unknown:
        raise UsageError(f"evaluation does not take {', '.join(sorted(unknown))}.")
    Annealing(**protocol)


def _inference(model, x, chunk_size, seed):
    """Acceptance rate (NaN without a chain) and mean squared error of inferred latents."""
    explained = observed(model, x, seed)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(x, explained, index):
        key = samplers.fold_in(seed, "report", index[0])
        z, diagnostics = model.infer({"x": explained}, 1, samplers.fold_in(key, "infer"))
        error = model.squared_error({"x": x}, z)
        return diagnostics.get("accept_rate", tf.fill(tf.shape(error), math.nan)), error

    accept_rate, error = in_chunks(
        run, (x, explained, np.arange(len(x))), chunk_size, "", verbose=False
    )
    return float(accept_rate.mean()), float(error.mean())
