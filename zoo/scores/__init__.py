"""What fitted models are scored by: each score is a file here, which registers itself.

`report` computes the registered scores that a model has. The Fréchet distance, active units and
sums over all latents are asked for by programs and figures of their own.
"""

import importlib
import pkgutil

from zoo.scores.active_units import ActiveUnits, active_units
from zoo.scores.annealed import BDMC, bidirectional, log_likelihood
from zoo.scores.enumeration import Enumeration, enumerate_latents
from zoo.scores.estimates import LogLikelihood
from zoo.scores.feature_networks import (
    FeatureNetwork,
    classifier_features,
    inception_features,
)
from zoo.scores.frechet import LATENTS, frechet, frechet_distance
from zoo.scores.importance import importance_weighted_bound
from zoo.scores.registry import Scoring, register_score, registered_scores, units
from zoo.scores.report import check_protocol, report
from zoo.scores.standard_normal import num_latents, quadrature_log_likelihood

for _module in pkgutil.iter_modules(__path__):  # each of which may register a score
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ActiveUnits",
    "BDMC",
    "Enumeration",
    "FeatureNetwork",
    "LATENTS",
    "LogLikelihood",
    "Scoring",
    "active_units",
    "bidirectional",
    "check_protocol",
    "classifier_features",
    "enumerate_latents",
    "frechet",
    "frechet_distance",
    "importance_weighted_bound",
    "inception_features",
    "log_likelihood",
    "num_latents",
    "quadrature_log_likelihood",
    "register_score",
    "registered_scores",
    "report",
    "units",
]
