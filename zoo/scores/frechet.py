"""The Fréchet distance between samples and test images, in the features of some network.

Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium". The number means nothing without the network, so a score is called by its network.
"""

import numpy as np
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError, check_choice, check_count
from zoo.core.choices import LATENTS
from zoo.core.fields import Field
from zoo.core.generative import GenerativeModel
from zoo.data import Data
from zoo.parts.gaussians import fitted_gaussian
from zoo.scores.chunks import collect, collect_batch, in_chunks
from zoo.scores.feature_networks import FeatureNetwork
from zoo.scores.standard_normal import num_latents


def frechet(
    model: GenerativeModel,
    data: Data,
    network: FeatureNetwork,
    *,
    num_samples: int | None = None,
    num_images: int | None = None,
    latents: str = "prior",
    chunk_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, float | str | None]:
    """Scores a model's expected images, `mean` of its samples, against test images.

    On average the distance between two finite sets is above that between the laws they come from,
    the more so the smaller the sets: compare scores of equal numbers only, and with the score of as
    many training images, which a perfect model would have.

    Args:
      model: a fitted model.
      data: the data that it was fitted to.
      network: its features are compared.
      num_samples: so many images are drawn from the model; as many as test images by default.
      num_images: the first so many test images are compared with; all by default.
      latents: "prior", or "fitted": a Gaussian with the mean and covariance of the latents that the
        model infers for training images, for models whose prior is N(0, I). A score that is better
        for it tells that those do not look like draws of the prior.
      chunk_size: images at a time.
      seed: int, of the draws.
      verbose: whether progress bars are shown.

    Returns:
      The distance of the samples from the test images, under the name of the network's score; that
      of the training images (the first `num_samples`, or all) as `train_images`; `num_samples`,
      `num_train_images` and `num_test_images`, the numbers of images; the network's
      `classifier_accuracy`, or None; `latents`; and `seed`.

    Raises:
      UsageError: for fewer than two images, images that model or network do not take, or fitted
        latents of a model with another prior.
    """
    check_choice("latents", latents, LATENTS)
    test = collect(model, data.test, num_images)
    num_samples = len(test) if num_samples is None else num_samples
    check_count(num_samples=num_samples, chunk_size=chunk_size)
    train = collect(model, data.train.rebatch(num_samples).take(1))
    if latents == "prior":
        samples = _draws(model, num_samples, seed)
    else:
        samples = _draws_of_fitted(model, collect_batch(model, data.train), num_samples, seed)
    samples = np.clip(samples, 0, 1)
    of_test, of_train, of_samples = (
        network(images, chunk_size=chunk_size, verbose=verbose) for images in (test, train, samples)
    )
    return {
        network.score: frechet_distance(of_samples, of_test),
        "train_images": frechet_distance(of_train, of_test),
        "num_samples": num_samples,
        "num_train_images": len(train),
        "num_test_images": len(test),
        "classifier_accuracy": network.accuracy,
        "latents": latents,
        "seed": seed,
    }


_DRAWS_AT_A_TIME = 1000  # so that a decoder's memory does not grow


def _draws(model, num_samples, seed):
    size = min(num_samples, _DRAWS_AT_A_TIME)
    parts = [
        model.sample(size, samplers.fold_in(seed, "frechet", start))["mean"]
        for start in range(0, num_samples, size)
    ]
    return np.concatenate(parts)[:num_samples]


def _draws_of_fitted(model, batch, num_samples, seed):
    num_latents(model)  # which refuses other priors

    @tf.function(jit_compile=model.compile_chains, autograph=False)
    def infer(batch, index):
        shown = model.without_answers(batch)
        explained = model.preprocess(shown, samplers.fold_in(seed, "observe", index[0]))
        z, _ = model.infer(explained, 1, samplers.fold_in(seed, "infer", index[0]))
        return tf.transpose(z[0])

    inferred = in_chunks(infer, (batch, np.arange(len(batch["x"]))), 100, "", False).T
    fitted = fitted_gaussian(tf.constant(inferred, tf.float32))
    z = fitted.sample([num_samples], samplers.fold_in(seed, "frechet"))
    decode = tf.function(lambda z: model.expected(z[None])[0], autograph=False)
    starts = range(0, num_samples, _DRAWS_AT_A_TIME)
    return np.concatenate([decode(z[k : k + _DRAWS_AT_A_TIME]) for k in starts])


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """The distance between the Gaussians fitted to two sets of features (Dowson and Landau 1982).

    It is |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^{1/2}), the square of the 2-Wasserstein
    distance. With C = R^T R, the trace of the root is the sum of the singular values of R_a R_b^T,
    which needs no root of a matrix, and is exact where the covariances have no full rank.

    Args:
      features_a: [N, F], N at least two.
      features_b: [M, F], M at least two.

    Returns:
      The distance, in squares of the features' unit.

    Raises:
      UsageError: for fewer than two examples, different widths, or features that are not finite.
    """
    mean_a, root_a = _fitted("features_a", features_a)
    mean_b, root_b = _fitted("features_b", features_b)
    if len(mean_a) != len(mean_b):
        raise UsageError(
            "features_a and features_b must be of the same width; "
            f"they were {len(mean_a)} and {len(mean_b)} wide."
        )
    shift = np.square(mean_a - mean_b).sum()
    spread = np.square(root_a).sum() + np.square(root_b).sum()
    overlap = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    # Of equal features rounding alone is left.
    return float(max(shift + spread - 2 * overlap, 0.0))


def _fitted(name, features):
    """The mean [F] and an R, [min(N, F), F], of which R^T R is the unbiased covariance."""
    shape = np.shape(features)
    if len(shape) != 2 or shape[0] < 2:
        raise UsageError(f"{name} must be at least two examples, [N, F]; it was {list(shape)}.")
    features = Field(shape[1:], "float64").check(name, features)
    mean = features.mean(0)
    return mean, np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")
