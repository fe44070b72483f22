"""Scores of fitted models: log-likelihoods with their errors, bounds, and Fréchet distances."""

from zoo.scores.active_units import ActiveUnits, active_units
from zoo.scores.enumeration import Enumeration, enumerate_latents
from zoo.scores.frechet import (
    LATENTS,
    FeatureNetwork,
    classifier_features,
    frechet,
    frechet_distance,
    inception_features,
)
from zoo.scores.likelihood import (
    BDMC,
    LogLikelihood,
    bidirectional,
    importance_weighted_bound,
    log_likelihood,
)
from zoo.scores.report import check_protocol, report

__all__ = [
    "LATENTS",
    "ActiveUnits",
    "BDMC",
    "Enumeration",
    "FeatureNetwork",
    "LogLikelihood",
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
    "report",
]
