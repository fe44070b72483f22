"""Figures that compare fitted models, each a picture and a table. Importing registers them."""

from zoo.evaluation.figures.active_units import active_units
from zoo.evaluation.figures.directions import jacobian_spectrum, leading_directions
from zoo.evaluation.figures.enumeration import enumerated_bounds
from zoo.evaluation.figures.gibbs_gradient_toy import gibbs_gradient_toy
from zoo.evaluation.figures.implicit_posteriors import implicit_posteriors
from zoo.evaluation.figures.layers import (
    layer_by_layer,
    reconstruction_by_num_layers,
    reconstruction_by_num_steps,
)
from zoo.evaluation.figures.manifold import manifold
from zoo.evaluation.figures.num_steps import log_likelihood_by_num_steps
from zoo.evaluation.figures.registry import (
    Plot,
    Run,
    check,
    descriptions,
    draw,
    register_figure,
    runs_of,
    write,
)
from zoo.evaluation.figures.short_run import step_size_objective, step_size_trajectories
from zoo.evaluation.figures.undirected import rbm_log_normalizer_error, rbm_modes
from zoo.evaluation.figures.unit_square import unit_square

__all__ = [
    "Plot",
    "Run",
    "active_units",
    "check",
    "descriptions",
    "draw",
    "enumerated_bounds",
    "gibbs_gradient_toy",
    "implicit_posteriors",
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
    "runs_of",
    "step_size_objective",
    "step_size_trajectories",
    "unit_square",
    "write",
]
