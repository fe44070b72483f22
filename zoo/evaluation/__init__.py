"""Scores of fitted models: log-likelihoods with their errors, bounds and reconstruction errors."""

from zoo.evaluation.active_units import ActiveUnits, active_units
from zoo.evaluation.likelihood import (
    BDMC,
    LogLikelihood,
    bidirectional,
    importance_weighted_bound,
    log_likelihood,
)
from zoo.evaluation.report import check_protocol, report

__all__ = [
    "ActiveUnits",
    "BDMC",
    "LogLikelihood",
    "active_units",
    "bidirectional",
    "check_protocol",
    "importance_weighted_bound",
    "log_likelihood",
    "report",
]
