"""Log-determinants of one Langevin step, exact or estimated: log |det(I + s^2 / 2 H)|.

H is the Hessian of the log density. At fixed noise a step has the Jacobian I + s^2 / 2 H. All log
densities here map z [..., d] to [...] and must take further axes in front of the chains'.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from samplers.density import LogDensity, value_and_gradient
from samplers.random import Seed, uniform

# Maps (log_density, z [..., d], step_size [], seed) to log |det(I + s^2 / 2 H(z))|, shape [...].
LogDetEstimator = Callable[[LogDensity, tf.Tensor, tf.Tensor, Seed], tf.Tensor]


def hessian_product(log_density: LogDensity, z: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Prepares products with the Hessian H at one place: they share one gradient.

    Args:
      log_density: maps [..., d] to log densities in nats, [...].
      z: the place, [..., d].

    Returns:
      The map from v [..., d] to H v [..., d].
    """
    z = tf.identity(z)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(z)
        _, gradient = value_and_gradient(log_density, z)
    return lambda v: tape.gradient(gradient, z, v, unconnected_gradients="zero")


def hessian_vector_product(log_density: LogDensity, z: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """Multiplies the Hessian of a log density with a vector.

    Args:
      log_density: maps [..., d] to log densities in nats, [...].
      z: where the Hessian is taken, [..., d].
      v: the vectors, [..., d].

    Returns:
      H(z) v, [..., d].
    """
    return hessian_product(log_density, z)(v)


def hessian(log_density: LogDensity, z: tf.Tensor) -> tf.Tensor:
    """Computes the Hessian of a log density.

    It evaluates d copies of z, each with a unit vector, at once: that takes d times the memory.

    Args:
      log_density: maps [..., d] to log densities in nats, [...].
      z: where the Hessian is taken, [..., d].

    Returns:
      H(z), [..., d, d].
    """
    num_dims = z.shape[-1]
    axes = [num_dims] + [1] * (z.shape.rank - 1) + [num_dims]
    copies = tf.tile(z[None], [num_dims] + [1] * z.shape.rank)
    units = tf.reshape(tf.eye(num_dims, dtype=z.dtype), axes) + tf.zeros_like(copies)
    rows = hessian_vector_product(log_density, copies, units)
    return tf.transpose(rows, [*range(1, z.shape.rank), 0, z.shape.rank])


def exact_log_det(
    log_density: LogDensity, z: tf.Tensor, step_size: tf.Tensor, seed: Seed | None = None
) -> tf.Tensor:
    """Computes log |det(I + s^2 / 2 H(z))| from the whole Hessian.

    Args:
      log_density: maps [..., d] to log densities in nats, [...].
      z: where the step starts, [..., d].
      step_size: s, a number.
      seed: not used; estimators take one.

    Returns:
      The log-determinant, [...].
    """
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
    """Makes an estimator of log |det(I + s^2 / 2 H(z))| from Hessian-vector products.

    It is stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017, "Fast estimation of tr(f(A)) via
    stochastic Lanczos quadrature"): the mean of v^T log|M| v over Rademacher probes v, each in the
    Krylov space of M and v. Its gradient is not the derivative of that number but the estimate
    v^T dM M^-1 v of tr(M^-1 dM) in the same space (Gardner et al. 2018, "GPyTorch"), for a fraction
    of the work. With `num_steps` >= d both are right on average.

    Args:
      num_steps: Hessian-vector products for each probe.
      num_probes: probes for each chain.

    Returns:
      The estimator.
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
