"""Short-run MCMC as a map from its start to its end, and how good its step size is.

K Langevin steps at fixed noise map z_0 to z_K. The map's log-determinant is the sum over its steps
of log |det(I + s_k^2 / 2 H_k)|, where H_k is the Hessian of the log density at z_k: every factor is
symmetric, their product is not. Nijkamp et al. 2020, "Learning multi-layer latent variable model
via variational optimization of short run MCMC", sections 4.2 and 4.3.

All log densities here map z [..., d] to [...] and must take further axes in front of the chains'.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from samplers.density import LogDensity, value_and_gradient
from samplers.langevin import langevin_step, step_size_at
from samplers.random import Seed, fold_in, noise_like, uniform

# Maps (log_density, z [..., d], step_size [], seed) to log |det(I + s^2 / 2 H(z))|, shape [...].
LogDetEstimator = Callable[[LogDensity, tf.Tensor, tf.Tensor, Seed], tf.Tensor]


class ShortRunResult(NamedTuple):
    """The end of the chains and how they stretched the space.

    Attributes:
      state: the last state, [..., d].
      log_det: log |det dz_K / dz_0| at fixed noise, or an estimate; 0 if none was asked for. [...].
    """

    state: tf.Tensor
    log_det: tf.Tensor


def hessian_product(log_density: LogDensity, z: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """The map from v [..., d] to H v [..., d], H the Hessian at z: its calls share one gradient."""
    z = tf.identity(z)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(z)
        _, gradient = value_and_gradient(log_density, z)
    return lambda v: tape.gradient(gradient, z, v, unconnected_gradients="zero")


def hessian_vector_product(log_density: LogDensity, z: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """The Hessian of the log density at z [..., d] times v [..., d]: [..., d]."""
    return hessian_product(log_density, z)(v)


def hessian(log_density: LogDensity, z: tf.Tensor) -> tf.Tensor:
    """The Hessian of the log density at z [..., d]: shape [..., d, d].

    One evaluation on d copies of z, each with a unit vector: it takes d times the memory of one.
    """
    num_dims = z.shape[-1]
    axes = [num_dims] + [1] * (z.shape.rank - 1) + [num_dims]
    copies = tf.tile(z[None], [num_dims] + [1] * z.shape.rank)
    units = tf.reshape(tf.eye(num_dims, dtype=z.dtype), axes) + tf.zeros_like(copies)
    rows = hessian_vector_product(log_density, copies, units)
    return tf.transpose(rows, [*range(1, z.shape.rank), 0, z.shape.rank])


def exact_log_det(log_density, z, step_size, seed=None) -> tf.Tensor:
    """log |det(I + s^2 / 2 H(z))| from the whole Hessian; z [..., d] to [...]."""
    del seed
    factor = tf.eye(z.shape[-1], dtype=z.dtype) + step_size**2 / 2 * hessian(log_density, z)
    return _log_abs_det(factor)


@tf.custom_gradient
def _log_abs_det(matrix: tf.Tensor):
    """log |det M| of matrices [..., d, d]: shape [...]. XLA has no `slogdet`, but it has QR."""
    q, r = tf.linalg.qr(matrix)
    diagonal = _away_from_zero(tf.linalg.diag_part(r))

    def backward(upstream):
        # The inverse of R = D (I - N) without a triangular solve, which XLA unrolls:
        # (I - N)^-1 = (I + N) (I + N^2) (I + N^4) ..., which ends since N is nilpotent.
        power = tf.linalg.set_diag(-r / diagonal[..., None], tf.zeros_like(diagonal))
        inverse = tf.eye(matrix.shape[-1], dtype=matrix.dtype) + power
        for _ in range(1, (matrix.shape[-1] - 1).bit_length()):
            power = power @ power
            inverse += inverse @ power
        transposed = tf.matmul(q, inverse / diagonal[..., None, :], transpose_b=True)
        return upstream[..., None, None] * transposed

    return tf.reduce_sum(tf.math.log(tf.abs(diagonal)), -1), backward


def lanczos_log_det(num_steps: int = 5, num_probes: int = 1) -> LogDetEstimator:
    """An estimator of log |det(I + s^2 / 2 H(z))| from `num_steps` Hessian-vector products a probe.

    Stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017, "Fast estimation of tr(f(A)) via
    stochastic Lanczos quadrature"): the mean of v^T log|M| v over Rademacher probes v, each in the
    Krylov space of M and v. Its gradient is not the derivative of that number but the estimate
    v^T dM M^-1 v of tr(M^-1 dM) in the same space (Gardner et al. 2018, "GPyTorch"), for a fraction
    of the work. With `num_steps` >= d both are right on average.
    """

    def estimate(log_density, z, step_size, seed):
        num_dims = z.shape[-1]
        z = tf.tile(z[None], [num_probes] + [1] * z.shape.rank)
        probe = tf.cast(tf.where(uniform(tf.shape(z), seed) < 0.5, -1, 1), z.dtype)
        factor = step_size**2 / 2

        product = hessian_product(log_density, tf.stop_gradient(z))
        basis, matrix = _krylov(product, probe / num_dims**0.5, min(num_steps, num_dims))
        identity = tf.eye(matrix.shape[-1], dtype=z.dtype)
        values, vectors = tf.linalg.eigh(identity + tf.stop_gradient(factor) * matrix)
        values = _away_from_zero(values)
        first = vectors[..., 0, :]
        value = num_dims * tf.reduce_sum(first**2 * tf.math.log(tf.abs(values)), -1)

        solution = num_dims**0.5 * tf.linalg.matvec(vectors, first / values)
        solution = tf.einsum("i...d,...i->...d", basis, solution)
        image = factor * hessian_vector_product(log_density, z, solution)
        trace = tf.reduce_sum(probe * image, -1)
        return tf.reduce_mean(value + trace - tf.stop_gradient(trace), 0)

    return estimate


def _krylov(product, direction: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """An orthonormal basis Q [m, ..., d] of the Krylov space, and Q^T H Q [..., m, m].

    The space may be exhausted before its m-th direction: the rest are zeros, and so are their rows.
    """
    rounding = (100 * np.finfo(direction.dtype.as_numpy_dtype).eps) ** 2
    shape = [size] + [1] * direction.shape.rank
    empty = tf.zeros_like(direction)[None] + tf.zeros(shape, direction.dtype)

    def body(i, direction, basis, images):
        slot = tf.reshape(tf.one_hot(i, size, dtype=direction.dtype), shape)
        image = product(direction)
        basis += slot * direction
        residual = image
        for _ in range(2):  # once is not enough in float32
            overlap = tf.reduce_sum(basis * residual, -1, keepdims=True)
            residual -= tf.reduce_sum(basis * overlap, 0)
        square = tf.reduce_sum(residual**2, -1, keepdims=True)
        goes_on = square > rounding * tf.reduce_sum(image**2, -1, keepdims=True)
        residual *= tf.math.rsqrt(tf.where(goes_on, square, tf.ones_like(square)))
        next_direction = tf.where(goes_on, residual, tf.zeros_like(residual))
        return i + 1, next_direction, basis, images + slot * image

    _, _, basis, images = tf.while_loop(
        lambda i, *_: i < size, body, (0, direction, empty, empty), parallel_iterations=1
    )
    return basis, tf.einsum("i...d,j...d->...ij", basis, images)


def _away_from_zero(values: tf.Tensor) -> tf.Tensor:
    """`values`, but so large that their logarithms and inverses are finite."""
    eps = np.finfo(values.dtype.as_numpy_dtype).eps
    return tf.where(tf.abs(values) < eps, eps, values)


def short_run(
    log_density: LogDensity,
    state: tf.Tensor,
    *,
    num_steps: int,
    step_size: float | tf.Tensor,
    seed: Seed,
    log_det: LogDetEstimator | str | None = None,
) -> ShortRunResult:
    """The chain of `langevin`, number for number, with the log-determinant of its map.

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
    """
    estimate = {"exact": exact_log_det, "lanczos": lanczos_log_det()}.get(log_det, log_det)
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
    log_sum = tf.reduce_logsumexp(log_normal, 1)
    return log_sum - tf.math.log(tf.cast(tf.shape(state)[0], log_sum.dtype)) - log_density(end)
