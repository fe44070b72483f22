"""Markov chain samplers over plain log densities: tensors, a seed and a callable, never a model."""

from samplers.annealed import AISResult, annealed_importance_sampling, hamiltonian_move
from samplers.hmc import HMCResult, hmc
from samplers.implicit import implicit_posterior, resample
from samplers.langevin import langevin
from samplers.random import as_seed, fold_in, normal, uniform
from samplers.schedules import jump_schedule, linear_schedule, sigmoid_schedule

__all__ = [
    "AISResult",
    "HMCResult",
    "annealed_importance_sampling",
    "as_seed",
    "fold_in",
    "hamiltonian_move",
    "hmc",
    "implicit_posterior",
    "jump_schedule",
    "langevin",
    "linear_schedule",
    "normal",
    "resample",
    "sigmoid_schedule",
    "uniform",
]
