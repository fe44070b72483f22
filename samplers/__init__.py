"""Markov chain samplers over plain log densities: tensors, a seed and a callable, never a model."""

from samplers.annealed import AISResult, annealed_importance_sampling, hamiltonian_move
from samplers.hmc import HMCResult, hmc
from samplers.implicit import implicit_posterior, resample
from samplers.langevin import langevin, langevin_step, langevin_step_size
from samplers.random import as_seed, fold_in, normal, uniform
from samplers.schedules import jump_schedule, linear_schedule, sigmoid_schedule
from samplers.short_run import (
    ShortRunResult,
    exact_log_det,
    hessian,
    hessian_vector_product,
    lanczos_log_det,
    marginal_step_size_objective,
    short_run,
    step_size_objective,
)

__all__ = [
    "AISResult",
    "HMCResult",
    "ShortRunResult",
    "annealed_importance_sampling",
    "as_seed",
    "exact_log_det",
    "fold_in",
    "hamiltonian_move",
    "hessian",
    "hessian_vector_product",
    "hmc",
    "implicit_posterior",
    "jump_schedule",
    "lanczos_log_det",
    "langevin",
    "langevin_step",
    "langevin_step_size",
    "linear_schedule",
    "marginal_step_size_objective",
    "normal",
    "resample",
    "short_run",
    "sigmoid_schedule",
    "step_size_objective",
    "uniform",
]
