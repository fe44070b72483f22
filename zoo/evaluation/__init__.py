"""Scores of fitted models: log-likelihoods with their errors, bounds, and Fréchet distances."""

from zoo.evaluation.active_units import ActiveUnits, active_units
from zoo.evaluation.frechet import (
    LATENTS,
    FeatureNetwork,
    classifier_features,
    frechet,
    frechet_distance,
    inception_features,
)
from zoo.evaluation.likelihood import (
    BDMC,
    LogLikelihood,
    bidirectional,
    importance_weighted_bound,
    log_likelihood,
)
from zoo.evaluation.report import check_protocol, report

__all__ = [
    "LATENTS",
    "ActiveUnits",
    "BDMC",
    "FeatureNetwork",
    "LogLikelihood",
    "active_units",
    "bidirectional",
    "check_protocol",
    "classifier_features",
    "frechet",
    "frechet_distance",
    "importance_weighted_bound",
    "inception_features",
    "log_likelihood",
    "report",
]
