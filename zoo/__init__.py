"""Deep latent-variable models trained with Markov chain Monte Carlo, as Keras models."""

from zoo.core import environment  # noqa: F401 (which looks around before the rest is imported)

# isort: split
from zoo import data, models, parts, scores
from zoo.core import renamed
from zoo.core.checks import UsageError
from zoo.core.generative import GenerativeModel
from zoo.core.latent import LatentVariableModel, Proposal
from zoo.core.registry import Paper, get_method, method_names, register
from zoo.core.trainable import TrainableModel
from zoo.core.version import VERSION
from zoo.models import *  # noqa: F403
from zoo.parts import likelihoods
from zoo.runs.checkpoints import Checkpoints
from zoo.runs.workdir import load
from zoo.serving.export import export

__version__ = VERSION

__all__ = [
    "Checkpoints",
    "GenerativeModel",
    "LatentVariableModel",
    "Paper",
    "Proposal",
    "TrainableModel",
    "UsageError",
    "__version__",
    "data",
    "export",
    "get_method",
    "likelihoods",
    "load",
    "method_names",
    "models",
    "parts",
    "register",
    "scores",
    *models.__all__,
]


def __getattr__(name):
    renamed.check_name(name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
