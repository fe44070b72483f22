"""Figures that compare fitted models, each a picture and a table. Importing registers them."""

from zoo.analysis.active_units import active_units
from zoo.analysis.comparison import check_scored_alike
from zoo.analysis.directions import jacobian_spectrum, leading_directions
from zoo.analysis.enumeration import enumerated_bounds
from zoo.analysis.figures import (
    Plot,
    Run,
    check,
    descriptions,
    draw,
    register_figure,
    write,
)
from zoo.analysis.layers import (
    layer_by_layer,
    reconstruction_by_num_layers,
    reconstruction_by_num_steps,
)
from zoo.analysis.manifold import manifold
from zoo.analysis.num_steps import log_likelihood_by_num_steps
from zoo.analysis.rbm_figures import rbm_log_normalizer_error, rbm_modes
from zoo.analysis.short_run import step_size_objective, step_size_trajectories

__all__ = [
    "Plot",
    "Run",
    "active_units",
    "check",
    "check_scored_alike",
    "descriptions",
    "draw",
    "enumerated_bounds",
    "jacobian_spectrum",
    "layer_by_layer",
    "leading_directions",
    "log_likelihood_by_num_steps",
    "manifold",
    "rbm_log_normalizer_error",
    "rbm_modes",
    "reconstruction_by_num_layers",
    "reconstruction_by_num_steps",
    "register_figure",
    "step_size_objective",
    "step_size_trajectories",
    "write",
]
