"""Deep latent-variable models trained with Markov chain Monte Carlo, as Keras models."""

from zoo import data, models, scores
from zoo.core.checks import UsageError
from zoo.core.latent import LatentVariableModel
from zoo.core.registry import get_method, method_names, register
from zoo.core.trainable import GenerativeModel
from zoo.models import *  # noqa: F403
from zoo.parts import likelihoods
from zoo.runs.checkpoints import Checkpoints
from zoo.runs.workdir import load
from zoo.serving.export import export

__version__ = "0.1.0"

__all__ = [
    "Checkpoints",
    "GenerativeModel",
    "LatentVariableModel",
    "UsageError",
    "data",
    "scores",
    "export",
    "get_method",
    "likelihoods",
    "load",
    "method_names",
    "models",
    "register",
    *models.__all__,
]
