"""Short-run MCMC as a map from its start to its end, and how good its step size is.

K Langevin steps at fixed noise map z_0 to z_K. The map's log-determinant is the sum over its steps
of log |det(I + s_k^2 / 2 H_k)|, where H_k is the Hessian of the log density at z_k: every factor is
symmetric, their product is not. Nijkamp et al. 2020, "Learning multi-layer latent variable model
via variational optimization of short run MCMC", sections 4.2 and 4.3.

All log densities here map z [..., d] to [...] and must take further axes in front of the chains'.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from samplers.density import LogDensity
from samplers.estimators import log_mean_exp
from samplers.integrators import langevin_step, step_size_at
from samplers.log_determinants import LogDetEstimator, exact_log_det, lanczos_log_det
from samplers.random import Seed, fold_in, noise_like


class ShortRunResult(NamedTuple):
    """The end of the chains and how they stretched the space.

    Attributes:
      state: the last state, [..., d].
      log_det: log |det dz_K / dz_0| at fixed noise, or an estimate; 0 if none was asked for. [...].
    """

    state: tf.Tensor
    log_det: tf.Tensor


def short_run(
    log_density: LogDensity,
    state: tf.Tensor,
    *,
    num_steps: int,
    step_size: float | tf.Tensor,
    seed: Seed,
    log_det: LogDetEstimator | str | None = None,
) -> ShortRunResult:
    """Runs the chain of `langevin`, number for number, with the log-determinant of its map.

    A tape can differentiate the result in `state` and `step_size`, under XLA too, and in nothing
    else: the parameters inside `log_density` get no gradient. Kept are the states before all
    steps; from there each step is evaluated again on the way back.

    Args:
      log_density: maps [..., d] to log densities in nats, [...].
      state: where the chains start: [..., d].
      num_steps: number of steps, a Python int.
      step_size: the standard deviation of a step's noise, one for all or [num_steps].
      seed: int or int32[2].
      log_det: None, "exact", "lanczos" or an estimator of every step's log-determinant.

    Returns:
      The last state, and the log-determinant of the map to it.

    Raises:
      ValueError: if `log_det` is another string.
    """
    named: dict = {"exact": exact_log_det, "lanczos": lanczos_log_det()}
    estimate = named.get(log_det, log_det)
    if isinstance(estimate, str):
        raise ValueError(f"log_det must be 'exact', 'lanczos' or a callable; it was {log_det!r}.")
    state = tf.convert_to_tensor(state)
    step_size = tf.convert_to_tensor(step_size, state.dtype)

    def step(state, step_size, i):
        size = step_size_at(step_size, i)
        noise = noise_like(state, fold_in(seed, i))
        next_state = langevin_step(log_density, state, size, noise)
        if estimate is None:
            return next_state, tf.zeros(tf.shape(state)[:-1], state.dtype)
        return next_state, estimate(log_density, state, size, fold_in(seed, "log_det", i))

    @tf.custom_gradient
    def run(state, step_size):
        def forward(i, state, total, states):
            next_state, log_det = step(state, step_size, i)
            return i + 1, next_state, total + log_det, states.write(i, state)

        def backward(*upstream, variables=None):
            def back(i, state_gradient, total_gradient):
                inputs = [tf.ensure_shape(states.read(i), state.shape), step_size]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(inputs)
                    result = step(*inputs, i)
                state_gradient, size_gradient = tape.gradient(
                    result, inputs, [state_gradient, upstream[1]], unconnected_gradients="zero"
                )
                return i - 1, state_gradient, total_gradient + size_gradient

            start = (num_steps - 1, upstream[0], tf.zeros_like(step_size))
            _, *gradients = tf.while_loop(lambda i, *_: i >= 0, back, start, parallel_iterations=1)
            return gradients if variables is None else (gradients, [None] * len(variables))

        size = max(num_steps, 1)  # XLA cannot compile an array of no states
        states = tf.TensorArray(state.dtype, size, clear_after_read=False)
        start = (0, state, tf.zeros(tf.shape(state)[:-1], state.dtype), states)
        _, end, total, states = tf.while_loop(
            lambda i, *_: i < num_steps, forward, start, parallel_iterations=1
        )
        return (end, total), backward

    return ShortRunResult(*run(state, step_size))


def step_size_objective(
    log_density: LogDensity,
    state: tf.Tensor,
    *,
    initial: LogDensity,
    num_steps: int,
    step_size: float | tf.Tensor,
    seed: Seed,
    log_det: LogDetEstimator | str = "exact",
) -> tf.Tensor:
    """log p(z_0) - log |det dz_K / dz_0| - log f(z_K) of every chain: gradient descent lowers it.

    For f(z) = p(x, z) its mean is KL(q(z_K | noise) || p(z | x)) - log p(x), averaged over the
    noise: Nijkamp et al. 2020, eq. 17-20, as printed, with the one noise that made z_K. It is above
    KL(q(z_K) || p(z | x)) - log p(x), so minus it bounds log p(x); its best step size is smaller.

    Args:
      log_density: log f, maps [..., d] to [...].
      state: draws from the start's law: [..., d].
      initial: the log density of the start's law, maps [..., d] to [...].
      num_steps: as in `short_run`.
      step_size: as in `short_run`; the result can be differentiated in it.
      seed: int or int32[2].
      log_det: "exact", "lanczos" or an estimator.

    Returns:
      Nats, [...].
    """
    end = short_run(
        log_density, state, num_steps=num_steps, step_size=step_size, seed=seed, log_det=log_det
    )
    return initial(state) - end.log_det - log_density(end.state)


def marginal_step_size_objective(
    log_density: LogDensity,
    state: tf.Tensor,
    *,
    num_steps: int,
    step_size: float | tf.Tensor,
    seed: Seed,
) -> tf.Tensor:
    """log q(z_K) - log f(z_K) of every chain, with q estimated from all chains of the first axis.

    The last step is Gaussian, so q(z_K) is the mean of N(z_K; z' + s^2 / 2 g(z'), s^2 I) over
    chains z' of K - 1 steps: the nested average of Nijkamp et al. 2020, eq. 16, without inverse and
    without determinant. The average is over the S chains of axis 0, each chain's own among them.
    So for f(z) = p(x, z) the mean is never below KL(q || p(z | x)) - log p(x), whatever S, and
    falls to it as S grows (Yin and Zhou 2018, "Semi-implicit variational inference"). S must grow
    exponentially with d: for small models, d <= 4 or so.

    Args:
      log_density: log f, maps [S, ..., d] to [S, ...]; the same one for all of axis 0.
      state: independent draws from the start's law: [S, ..., d].
      num_steps: as in `short_run`, at least 1.
      step_size: as in `short_run`; the result can be differentiated in it.
      seed: int or int32[2].

    Returns:
      Nats, [S, ...]. It takes memory for S^2 pairs of chains.
    """
    state = tf.convert_to_tensor(state)
    step_size = tf.convert_to_tensor(step_size, state.dtype)
    last = num_steps - 1
    before = short_run(log_density, state, num_steps=last, step_size=step_size, seed=seed).state
    size = step_size_at(step_size, last)
    mean = langevin_step(log_density, before, size, tf.zeros_like(before))
    end = mean + size * noise_like(state, fold_in(seed, last))
    scaled = (end[:, None] - mean) / size
    log_normal = -0.5 * tf.reduce_sum(scaled**2 + tf.math.log(2 * np.pi * size**2), -1)
    return log_mean_exp(log_normal, axis=1) - log_density(end)
