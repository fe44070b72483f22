"""Figures of fitted models, each a picture and a table: a function here, which registers itself."""

import importlib
import pkgutil

from zoo.analysis import registry
from zoo.analysis.comparison import check_scored_alike, protocol_of
from zoo.analysis.pictures import picture
from zoo.analysis.rbms import (
    MeanFieldModes,
    has_posterior_rbms,
    log_normalizer_estimates,
    mean_field_modes,
    posterior_rbms,
    prior_rbm,
    reference_log_normalizer,
)
from zoo.analysis.registry import Plot, Run, check, descriptions, draw, register_figure, write

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

_here = {
    name: figure
    for name, figure in registry.figures().items()
    if figure.__module__.startswith(f"{__name__}.")
}
globals().update(_here)

__all__ = [
    "MeanFieldModes",
    "Plot",
    "Run",
    "check",
    "check_scored_alike",
    "descriptions",
    "draw",
    "has_posterior_rbms",
    "log_normalizer_estimates",
    "mean_field_modes",
    "picture",
    "posterior_rbms",
    "prior_rbm",
    "protocol_of",
    "reference_log_normalizer",
    "register_figure",
    "write",
    *_here,
]
