"""Markov chain samplers over plain log densities: tensors, a seed and a callable, never a model."""

from samplers.annealed import AISResult, annealed_importance_sampling
from samplers.hmc import HMCResult, hmc
from samplers.langevin import langevin
from samplers.random import as_seed, fold_in, normal, uniform
from samplers.schedules import linear_schedule, sigmoid_schedule

__all__ = [
    "AISResult",
    "HMCResult",
    "annealed_importance_sampling",
    "as_seed",
    "fold_in",
    "hmc",
    "langevin",
    "linear_schedule",
    "normal",
    "sigmoid_schedule",
    "uniform",
]
