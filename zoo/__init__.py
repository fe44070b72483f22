"""Deep latent-variable models trained with Markov chain Monte Carlo, as Keras models."""

from zoo import data, evaluation, likelihoods, models
from zoo.base import GenerativeModel
from zoo.checkpoint import Checkpoints
from zoo.checks import UsageError
from zoo.experiment import load
from zoo.export import export
from zoo.latent import LatentVariableModel
from zoo.models import *  # noqa: F403
from zoo.registry import get_method, method_names, register

__version__ = "0.1.0"

__all__ = [
    "Checkpoints",
    "GenerativeModel",
    "LatentVariableModel",
    "UsageError",
    "data",
    "evaluation",
    "export",
    "get_method",
    "likelihoods",
    "load",
    "method_names",
    "models",
    "register",
    *models.__all__,
]
