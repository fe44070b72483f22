"""Scores of fitted models: log-likelihoods with their errors, bounds, and Fréchet distances."""

from zoo.evaluation.active_units import ActiveUnits, active_units
from zoo.evaluation.enumeration import Enumeration, enumerate_latents
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
from zoo.evaluation.rbm_modes import (
    MeanFieldModes,
    has_posterior_rbms,
    log_normalizer_estimates,
    mean_field_modes,
    posterior_rbms,
    prior_rbm,
    reference_log_normalizer,
)
from zoo.evaluation.report import check_protocol, report

__all__ = [
    "LATENTS",
    "ActiveUnits",
    "BDMC",
    "Enumeration",
    "FeatureNetwork",
    "LogLikelihood",
    "MeanFieldModes",
    "active_units",
    "bidirectional",
    "check_protocol",
    "classifier_features",
    "enumerate_latents",
    "frechet",
    "frechet_distance",
    "has_posterior_rbms",
    "importance_weighted_bound",
    "inception_features",
    "log_likelihood",
    "log_normalizer_estimates",
    "mean_field_modes",
    "posterior_rbms",
    "prior_rbm",
    "reference_log_normalizer",
    "report",
]
