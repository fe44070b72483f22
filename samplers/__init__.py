"""Markov chain samplers over plain log densities: tensors, a seed and a callable, never a model."""

from samplers.agreement import FEWEST_STEPS, Halves, add_to_halves, no_halves, split_r_hat
from samplers.annealed import (
    AISResult,
    AnnealedPoint,
    Move,
    annealed_importance_sampling,
    annealed_point_at,
    hamiltonian_move,
)
from samplers.density import value_and_gradient
from samplers.estimators import (
    FEWEST_FOR_A_TAIL,
    LogMeanWeight,
    WeightSummary,
    effective_sample_size,
    leave_one_out_bounds,
    log_mean_exp,
    log_mean_weight,
    pareto_shape,
    standard_error,
    weight_summary,
)
from samplers.hamiltonian import HMCNoise, hamiltonian_transition, hmc_noise
from samplers.hmc import HMCResult, hmc, hmc_kernel
from samplers.implicit import implicit_posterior, resample
from samplers.integrators import Point, langevin_step, langevin_step_size, leapfrog, point_at
from samplers.kernels import TransitionInfo, accept_or_reject, transition_info
from samplers.langevin import langevin
from samplers.log_determinants import (
    exact_log_det,
    hessian,
    hessian_vector_product,
    lanczos_log_det,
)
from samplers.particle_filter import FilterResult, particle_filter
from samplers.random import as_seed, fast_uniform, fold_in, normal, uniform
from samplers.rbm import (
    RBM,
    RelaxedSample,
    binary_states,
    exact_log_normalizer,
    gibbs,
    mean_field,
    mean_field_kl,
    relaxed_gibbs,
)
from samplers.rbm_annealing import (
    RBMAnnealingResult,
    population_annealing,
    population_annealing_step,
    rbm_annealed_importance_sampling,
)
from samplers.relaxations import (
    RELAXATIONS,
    Concrete,
    Exponential,
    PiecewiseLinear,
    Power,
    Relaxation,
)
from samplers.repeat import repeat
from samplers.resampling import systematic_resampling
from samplers.schedules import jump_schedule, linear_schedule, sigmoid_schedule
from samplers.scored_paths import AdjustedStep, ScoredStep, adjusted_step, underdamped_step
from samplers.short_run import (
    ShortRunResult,
    marginal_step_size_objective,
    short_run,
    step_size_objective,
)
from samplers.starts import Start, finite_start

__all__ = [
    "AISResult",
    "AdjustedStep",
    "AnnealedPoint",
    "Concrete",
    "Exponential",
    "FEWEST_FOR_A_TAIL",
    "FEWEST_STEPS",
    "FilterResult",
    "HMCNoise",
    "HMCResult",
    "Halves",
    "LogMeanWeight",
    "Move",
    "PiecewiseLinear",
    "Point",
    "Power",
    "RBM",
    "RBMAnnealingResult",
    "RELAXATIONS",
    "Relaxation",
    "RelaxedSample",
    "ScoredStep",
    "ShortRunResult",
    "Start",
    "TransitionInfo",
    "WeightSummary",
    "accept_or_reject",
    "add_to_halves",
    "adjusted_step",
    "annealed_importance_sampling",
    "annealed_point_at",
    "as_seed",
    "binary_states",
    "effective_sample_size",
    "exact_log_det",
    "exact_log_normalizer",
    "fast_uniform",
    "finite_start",
    "fold_in",
    "gibbs",
    "hamiltonian_move",
    "hamiltonian_transition",
    "hessian",
    "hessian_vector_product",
    "hmc",
    "hmc_kernel",
    "hmc_noise",
    "implicit_posterior",
    "jump_schedule",
    "lanczos_log_det",
    "langevin",
    "langevin_step",
    "langevin_step_size",
    "leapfrog",
    "leave_one_out_bounds",
    "linear_schedule",
    "log_mean_exp",
    "log_mean_weight",
    "marginal_step_size_objective",
    "mean_field",
    "mean_field_kl",
    "no_halves",
    "normal",
    "pareto_shape",
    "particle_filter",
    "point_at",
    "population_annealing",
    "population_annealing_step",
    "rbm_annealed_importance_sampling",
    "relaxed_gibbs",
    "repeat",
    "resample",
    "short_run",
    "sigmoid_schedule",
    "split_r_hat",
    "standard_error",
    "step_size_objective",
    "systematic_resampling",
    "transition_info",
    "underdamped_step",
    "uniform",
    "value_and_gradient",
    "weight_summary",
]

_RENAMED = {"mean_field_divergence": "mean_field_kl"}


def __getattr__(name: str):
    """Answers for names that went away."""
    if name in _RENAMED:
        raise AttributeError(f"samplers.{name} is now called samplers.{_RENAMED[name]}.")
    raise AttributeError(f"module 'samplers' has no attribute {name!r}")
