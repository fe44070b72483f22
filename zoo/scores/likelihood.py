"""log p(x): annealed importance sampling, bidirectional Monte Carlo, importance-weighted bounds."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.annealing import Annealing
from zoo.core.checks import UsageError, check_count
from zoo.scores.chunks import collect, in_chunks, observed


class LogLikelihood(NamedTuple):
    """An estimate of the mean log p(x), in nats.

    Attributes:
      mean: over images.
      stderr: standard error of `mean` over images, as if the estimates were exact.
      chain_stderr: Monte Carlo standard error of `mean` over chains.
      per_image: [N], for comparisons paired by image.
      accept_rate: mean acceptance probability of the annealed chains.
      protocol: what was run.
      effective_sample_size: of an image's importance weights, (sum w)^2 / sum w^2, mean over
        images; NaN of annealed ones.
    """

    mean: float
    stderr: float
    chain_stderr: float
    per_image: np.ndarray
    accept_rate: float
    protocol: str
    effective_sample_size: float = math.nan


class BDMC(NamedTuple):
    """Bounds on the mean log p(x) of simulated images, in nats; between them lies the truth.

    Attributes:
      lower: mean over images of the forward estimates, which are too low on average.
      upper: mean of the reverse estimates, which are too high on average.
      gap: upper - lower, which bounds the error of both.
      gap_stderr: its standard error over images.
      protocol: what was run.
    """

    lower: float
    upper: float
    gap: float
    gap_stderr: float
    protocol: str


def log_likelihood(
    model,
    data,
    *,
    num_images: int | None = None,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
    **protocol,
) -> LogLikelihood:
    """Estimates log p(x) by annealed importance sampling (Neal 2001; Wu et al. 2017).

    Grey levels are binarised once, by `seed`, where the model explains binary images.

    Args:
      model: a fitted latent-variable model.
      data: an array or a pipeline of images.
      num_images: the first so many images; all by default.
      chunk_size: images at a time.
      seed: int.
      verbose: whether to show a progress bar.
      **protocol: `num_chains`, `num_increments`, `num_leapfrog_steps`, `start` (by
        default the model's own) and `schedule`, as `zoo.core.annealing.Annealing`.

    Raises:
      UsageError: for data that the model does not take, or an argument out of its range.
    """
    x = collect(model, data, num_images)
    check_count(chunk_size=chunk_size)
    annealing = _annealing(model, protocol)
    x = observed(model, x, seed)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(x, index):
        forward, _ = annealing.run(model, {"x": x}, samplers.fold_in(seed, "anneal", index[0]))
        return samplers.log_mean_weight(forward.log_weights), tf.reduce_mean(
            forward.accept_prob, [0, 1]
        )

    title = f"AIS: {len(x)} images, {annealing}"
    estimate, accept_prob = in_chunks(run, (x, np.arange(len(x))), chunk_size, title, verbose)
    return LogLikelihood(
        mean=float(estimate.log_mean.mean()),
        stderr=_stderr(estimate.log_mean),
        chain_stderr=float(np.sqrt((estimate.stderr**2).sum()) / len(x)),
        per_image=estimate.log_mean,
        accept_rate=float(accept_prob.mean()),
        protocol=str(annealing),
    )


def bidirectional(
    model,
    *,
    num_images: int = 100,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
    **protocol,
) -> BDMC:
    """Bounds log p(x) from both sides on images simulated from the model (Grosse et al. 2015).

    z* ~ p(z), x ~ p(x given z*): z* is an exact draw of p(z given x). Annealing forward to p(x, z)
    bounds log p(x) from below, annealing back from z* bounds it from above, in expectation. The
    gap tells how far estimates with the same protocol are off, on images like those simulated.

    Args: as `log_likelihood`; `num_images` is the number of simulated images.
    """
    check_count(num_images=num_images, chunk_size=chunk_size)
    annealing = _annealing(model, protocol)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def simulate():
        z = model.prior.sample([1, num_images], samplers.fold_in(seed, "simulate z"))
        return z[0], model.likelihood(z).sample(seed=samplers.fold_in(seed, "simulate x"))[0]

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(z, x, index):
        key = samplers.fold_in(seed, "anneal", index[0])
        forward, backward = annealing.run(model, {"x": x}, key, exact=z)
        lower = samplers.log_mean_weight(forward.log_weights).log_mean
        return lower, -samplers.log_mean_weight(backward.log_weights).log_mean

    z, x = (t.numpy() for t in simulate())
    title = f"BDMC: {num_images} simulated images, {annealing}"
    lower, upper = in_chunks(run, (z, x, np.arange(num_images)), chunk_size, title, verbose)
    return BDMC(
        lower=float(lower.mean()),
        upper=float(upper.mean()),
        gap=float((upper - lower).mean()),
        gap_stderr=_stderr(upper - lower),
        protocol=str(annealing),
    )


def importance_weighted_bound(
    model,
    data,
    *,
    num_samples: int = 1,
    num_images: int | None = None,
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = False,
) -> LogLikelihood:
    """The bound log mean exp of `num_samples` of the model's own log weights (Burda et al. 2016).

    With one sample it is the bound that variational training climbs; with thousands, importance
    sampling of log p(x) with the encoder. Arguments and results are those of `log_likelihood`;
    there are no chains, so `accept_rate` is NaN, and `chain_stderr` is that over samples.
    """
    check_count(num_samples=num_samples, chunk_size=chunk_size)
    x = collect(model, data, num_images)
    x = observed(model, x, seed)
    num_rounds = -(-num_samples // _SAMPLES_AT_A_TIME)
    size = -(-num_samples // num_rounds)

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def run(x, index):
        key = samplers.fold_in(seed, index[0])
        log_weights = tf.map_fn(
            lambda k: model.log_weights(
                {"x": x}, size, key if num_rounds == 1 else samplers.fold_in(key, k)
            ),
            tf.range(num_rounds),
            fn_output_signature=tf.TensorSpec([size, x.shape[0]], x.dtype),
            parallel_iterations=1,
        )
        log_weights = tf.reshape(log_weights, [num_rounds * size, -1])[:num_samples]
        log_weights = tf.cast(log_weights, tf.float64)
        return samplers.log_mean_weight(log_weights), samplers.effective_sample_size(
            tf.nn.softmax(log_weights, 0)
        )

    title = f"Importance-weighted bound: {len(x)} images, {num_samples} samples"
    estimate, sizes = in_chunks(run, (x, np.arange(len(x))), chunk_size, title, verbose)
    return LogLikelihood(
        mean=float(estimate.log_mean.mean()),
        stderr=_stderr(estimate.log_mean),
        chain_stderr=float(np.sqrt((estimate.stderr**2).sum()) / len(x)),
        per_image=estimate.log_mean,
        accept_rate=math.nan,
        protocol=f"{num_samples} samples of the model's proposal",
        effective_sample_size=float(sizes.mean()),
    )


def _annealing(model, protocol):
    if not model.can_be_annealed:
        raise UsageError(
            f"model {model.name!r} has discrete latents, which cannot be annealed; "
            "use importance_weighted_bound."
        )
    return Annealing(**{"start": model.protocol.start} | protocol)


_SAMPLES_AT_A_TIME = 100  # of every image of a chunk, so that memory does not grow


def _stderr(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
