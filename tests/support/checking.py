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


def mutant(name: str, old: str, new: str, *users: str) -> types.ModuleType:
    """A copy of a module in which one piece of source is changed: a deliberately wrong method.

    Of modules that use it there are copies, too, each of which uses the copies before it. The last
    copy is returned.
    """
    source = inspect.getsource(importlib.import_module(name))
    assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times in {name}"
    copies = {name: _module(name, source.replace(old, new))}
    for user in users:
        right = {used: sys.modules[used] for used in copies}
        sys.modules.update(copies)
        try:
            copies[user] = _module(user, inspect.getsource(importlib.import_module(user)))
        finally:
            sys.modules.update(right)
    return list(copies.values())[-1]


def _module(name, source):
    module = types.ModuleType(f"{name}_mutant")
    sys.modules[module.__name__] = module  # named tuples look their module up
    exec(compile(source, f"mutant of {name}", "exec"), module.__dict__)
    return module
