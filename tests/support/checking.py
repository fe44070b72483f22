"""Statistical comparison in standard errors, and modules with one line changed."""

import importlib
import inspect
import sys
import types

import numpy as np


def z_scores(draws: np.ndarray, expected) -> np.ndarray:
    """How many standard errors the mean of independent `draws` (first axis) is from `expected`."""
    draws = np.asarray(draws, np.float64)
    error = draws.mean(0) - expected
    stderr = draws.std(0, ddof=1) / np.sqrt(len(draws))
    # Where nothing varies, only equality will do.
    return np.where(error == 0, 0.0, error / np.maximum(stderr, 1e-300))


def moments(z: np.ndarray) -> np.ndarray:
    """First and second moments of every draw, so that their means can be compared: [N, K + K^2]."""
    return np.concatenate([z, (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)], axis=1)


def gaussian_moments(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """What `moments` are on average under a Gaussian."""
    return np.concatenate([mean, (covariance + np.outer(mean, mean)).ravel()])


def mutant(name: str, old: str, new: str) -> types.ModuleType:
    """A copy of a module in which one piece of source is changed: a deliberately wrong method."""
    module = importlib.import_module(name)
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times in {name}"
    copy = types.ModuleType(f"{name}_mutant")
    sys.modules[copy.__name__] = copy  # named tuples look their module up
    exec(compile(source.replace(old, new), f"{name} with {new!r}", "exec"), copy.__dict__)
    return copy
