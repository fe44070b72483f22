"""The toy of Vahdat et al. (2020), figure 2: gradients through Gibbs updates of a Gaussian."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import samplers
from zoo.analysis.registry import Plot, register_figure
from zoo.core.checks import check_count, check_positive

_MEAN = np.array([1.0, 1.0])
_PRECISION = np.array([[1.1, 0.9], [0.9, 1.1]])
_NUM_SHOWN = 100  # iterations of a run


@register_figure
def gibbs_gradient_toy(
    *,
    num_updates: Sequence[int] = (1, 2, 4, 8),
    num_samples: int = 1,
    num_iterations: int = 4000,
    learning_rate: float = 0.003,
    num_runs: int = 100,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """How fast a Gaussian learns another by gradients through Gibbs updates, against its rivals.

    As figure 2 of Vahdat et al. (2020): a Gaussian q of two variables, at first N(0, I), descends
    KL(q || p) in its mean and the Cholesky factor of its precision. (a) has the exact divergence,
    (b) the density p, (c) the distance of the estimated gradient from the exact one, all at the
    same iterations: medians over runs, in the table with the quartiles of the divergence. II is the
    paper's estimator, through t Gibbs updates; I is the term that it leaves out.

    No estimator takes the gradient of log q in its own parameters, which is 0 on average: so where
    q = p gradients through z vanish draw by draw. So does f = log q - log p, of normalised
    densities, and with it the noise of I and of REINFORCE. The paper tells neither its optimiser
    nor the draws of an estimate: here they are Adam and one. With 100 draws the noise of I matters
    less than the bias that is left without it: in the end II at t = 1 is the slowest of all.

    Args:
      num_updates: numbers t of Gibbs updates.
      num_samples: draws that an estimate of the gradient averages.
      num_iterations: updates of q.
      learning_rate: of Adam.
      num_runs: independent runs of each estimator.
      jit_compile: whether XLA compiles the runs.
      seed: int.

    Returns:
      The picture, and its table.

    Raises:
      UsageError: for an argument out of its range.
    """
    check_count(num_samples=num_samples, num_iterations=num_iterations, num_runs=num_runs)
    check_positive(learning_rate=learning_rate)
    for t in num_updates:
        check_count(num_updates=t)
    target = tf.constant(_parameters_of(_MEAN, _PRECISION))
    estimators = _estimators(num_updates)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run_all(seed):
        def run(estimator):
            def gradient(parameters, i):
                key = samplers.fold_in(seed, i)
                return _gradient(estimator, parameters, target, num_samples, key)

            start = tf.zeros([num_runs, 5], target.dtype)  # N(0, I)
            return _descend(gradient, start, num_iterations, learning_rate)

        return [run(estimator) for estimator in estimators]

    shown = np.arange(0, num_iterations, max(1, num_iterations // _NUM_SHOWN))
    figure = Figure(figsize=(13, 4.9), layout="constrained")
    divergences, densities, errors = figure.subplots(1, 3)
    rows = []
    for estimator, run in zip(estimators, run_all(samplers.as_seed(seed)), strict=True):
        parameters, gradients = (tf.gather(value, shown) for value in run)
        kl, exact = _kl_and_gradient(parameters, target)
        error = np.median(np.linalg.norm(gradients - exact, axis=-1), axis=1)
        lower, kl, upper = np.quantile(kl, [0.25, 0.5, 0.75], axis=1)
        numbers = np.column_stack([kl, lower, upper, error]).tolist()
        rows += [(estimator.label, i, *row) for i, row in zip(shown.tolist(), numbers, strict=True)]
        style = _style(estimator, num_updates)
        divergences.plot(shown, kl, label=estimator.label, **style)
        errors.plot(shown, error, **style)
    divergences.set(title="(a) KL(q || p), nats", yscale="log", ylim=(1e-7, 5))
    errors.set(title="(c) error of the gradient, L2", yscale="log")
    for axes in (divergences, errors):
        axes.set_xlabel("iterations")
    _show_target(densities)
    figure.legend(loc="outside lower center", ncols=5)
    columns = ("estimator", "iteration", "kl", "kl_lower_quartile", "kl_upper_quartile")
    return Plot(figure, (*columns, "gradient_error"), rows)


class _Estimator(NamedTuple):
    """An estimator of the gradient of E_q[f].

    Attributes:
      label: what the picture and the table call it.
      num_updates: Gibbs updates t between a draw z' of q, through which no gradient passes, and z
        (term II of equation 9); None lets it pass through the draw itself and updates nothing.
      score: whether f(z) times the gradient of log q(z') is added (term I).
    """

    label: str
    num_updates: int | None
    score: bool = False


def _estimators(num_updates):
    # Without updates term II is zero, and term I is REINFORCE.
    return [
        _Estimator("reparameterisation", None),
        *(_Estimator(f"II, t = {t}", t) for t in num_updates),
        *(_Estimator(f"II + I, t = {t}", t, score=True) for t in num_updates),
        _Estimator("REINFORCE", 0, score=True),
    ]


def _parameters_of(mean, precision) -> np.ndarray:
    """The parameters [5] of a Gaussian whose precision is C C^T: mean, log C_11, log C_22, C_21."""
    factor = np.linalg.cholesky(precision)
    return np.array([*mean, *np.log(np.diag(factor)), factor[1, 0]])


def _factor(parameters):
    """Of parameters [..., 5] the entries C_11, C_22 and C_21, [...] each."""
    return tf.exp(parameters[..., 2]), tf.exp(parameters[..., 3]), parameters[..., 4]


def _log_prob(parameters, z):
    """Log densities of z, [..., 2]."""
    c11, c22, c21 = _factor(parameters)
    d1, d2 = tf.unstack(z - parameters[..., :2], axis=-1)
    squares = tf.square(c11 * d1 + c21 * d2) + tf.square(c22 * d2)
    return parameters[..., 2] + parameters[..., 3] - 0.5 * squares - np.log(2 * np.pi)


def _kl(parameters, target):
    """KL(q || p) in closed form, of parameters [..., 5] and those of p."""
    c11, c22, c21 = _factor(parameters)
    p11, p22, p21 = _factor(target)
    d1, d2 = tf.unstack(target[:2] - parameters[..., :2], axis=-1)
    quadratic = tf.square(p11 * d1 + p21 * d2) + tf.square(p22 * d2)
    # The trace of the target's precision times q's covariance is the square of C^-1 P.
    trace = tf.square(p11 / c11) + tf.square(p22 / c22)
    trace += tf.square((p21 - c21 * p11 / c11) / c22)
    log_ratio = tf.reduce_sum(parameters[..., 2:4] - target[2:4], -1)
    return 0.5 * (trace + quadratic - 2) + log_ratio


def _sample(parameters, noise):
    """Draws m + C^-T e, by noise of the shape [..., 2]."""
    c11, c22, c21 = _factor(parameters)
    d2 = noise[..., 1] / c22
    d1 = (noise[..., 0] - c21 * d2) / c11
    return parameters[..., :2] + tf.stack([d1, d2], axis=-1)


def _gibbs(parameters, z, noise):
    """Draws z1 given z2 and then z2 given z1, once for each entry of the noise [t, ..., 2]."""
    c11, c22, c21 = _factor(parameters)
    precisions = tf.square(c11), tf.square(c21) + tf.square(c22)
    coupling = c11 * c21
    d2 = (z - parameters[..., :2])[..., 1]
    for e in tf.unstack(noise):
        d1 = e[..., 0] / tf.sqrt(precisions[0]) - coupling / precisions[0] * d2
        d2 = e[..., 1] / tf.sqrt(precisions[1]) - coupling / precisions[1] * d1
    return parameters[..., :2] + tf.stack([d1, d2], axis=-1)


def _gradient(estimator, parameters, target, num_samples, seed):
    """Estimates of the gradient of KL(q || p), one for each row of parameters [R, 5]."""
    shape = [num_samples, *parameters.shape[:-1], 2]
    start_noise = samplers.normal(shape, samplers.fold_in(seed, "start"), parameters.dtype)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        start = z = _sample(parameters, start_noise)
        if estimator.num_updates is not None:
            start = z = tf.stop_gradient(start)
        if estimator.num_updates:
            shape = [estimator.num_updates, *shape]
            noise = samplers.normal(shape, samplers.fold_in(seed, "gibbs"), parameters.dtype)
            z = _gibbs(parameters, start, noise)
        # On average log q has no gradient in its parameters: only that of z is taken.
        f = _log_prob(tf.stop_gradient(parameters), z) - _log_prob(target, z)
        surrogate = f
        if estimator.score:
            surrogate += tf.stop_gradient(f) * _log_prob(parameters, start)
        surrogate = tf.reduce_mean(surrogate, 0)
    return tape.gradient(surrogate, parameters)


def _kl_and_gradient(parameters, target):
    """KL(q || p) and its exact gradient, of parameters [..., 5]."""
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        kl = _kl(parameters, target)
    return kl, tape.gradient(kl, parameters)


def _descend(gradient, parameters, num_iterations, learning_rate):
    """Adam; parameters before every update, and their gradients: [num_iterations, R, 5] each."""

    def step(state, i):
        _, _, parameters, mean, square = state
        found = gradient(parameters, i)
        mean += 0.1 * (found - mean)
        square += 0.001 * (tf.square(found) - square)
        count = tf.cast(i + 1, parameters.dtype)
        scale = tf.sqrt(square / (1 - 0.999**count)) + 1e-8
        update = mean / (1 - 0.9**count) / scale
        return parameters, found, parameters - learning_rate * update, mean, square

    zeros = tf.zeros_like(parameters)
    start = (zeros, zeros, parameters, zeros, zeros)
    before, gradients, *_ = tf.scan(step, tf.range(num_iterations), start)
    return before, gradients


def _style(estimator, num_updates):
    if estimator.num_updates in num_updates:
        colour = f"C{list(num_updates).index(estimator.num_updates)}"
        return {"color": colour, "linestyle": "--" if estimator.score else "-"}
    return {"color": "0.6" if estimator.score else "black", "linewidth": 2.5, "zorder": 1}


def _show_target(axes):
    """The density p, and the ellipses of one and two standard deviations of p and of N(0, I)."""
    x = np.linspace(-4, 5, 200)
    z = np.stack(np.meshgrid(x, x), axis=-1)
    density = np.exp(_log_prob(tf.constant(_parameters_of(_MEAN, _PRECISION)), tf.constant(z)))
    axes.contourf(x, x, density, 12, cmap="Greys")
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    ellipse = circle @ np.linalg.inv(np.linalg.cholesky(_PRECISION))
    for radius in (1, 2):
        axes.plot(*(_MEAN + radius * ellipse).T, color="C0", linewidth=1)
        axes.plot(*(radius * circle).T, ":", color="C1", linewidth=1.5)
    axes.set(title="(b) p, and dotted the first q", xlabel="z_1", ylabel="z_2", aspect="equal")
