"""The toy of Hoffman (2017), figure 1: one latent for a square."""

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import layers
import samplers
from zoo.analysis.registry import Plot, register_figure
from zoo.core.checks import check_count
from zoo.core.progress import verbosity
from zoo.models import HMCDLGM, VAE
from zoo.parts.likelihoods import Gaussian
from zoo.scores.standard_normal import prior_quantiles, quadrature_log_likelihood


@register_figure
def unit_square(
    *,
    num_points: int = 10_000,
    epochs: int = 100,
    num_steps: int = 10,
    units: int = 200,
    scale: float = 0.075,
    jit_compile: bool = True,
    seed: int = 0,
) -> Plot:
    """How well one latent fills the unit square: the curve that a VAE and an HMC-DLGM learn.

    The data are uniform on the square; the decoder has one hidden layer of ReLU units, so that
    E[x given z] is a polygon, and the noise is fixed (Hoffman 2017, figure 1). A VAE's bias
    towards posteriors that its encoder can match keeps the polygon simple. Titles give the mean
    log-likelihood of fresh points in nats with its standard error; the uniform density scores 0.
    The table has the curves.

    Args:
      num_points: points that both learn from.
      epochs: passes over them.
      num_steps: transitions M of the HMC-DLGM.
      units: of the decoder's hidden layer.
      scale: standard deviation of the noise, in sides of the square.
      jit_compile: whether XLA compiles the training step.
      seed: int.

    Returns:
      The picture, and its table.

    Raises:
      UsageError: for an argument out of its range.
    """
    check_count(num_points=num_points, epochs=epochs, units=units)
    rng = np.random.default_rng(seed)
    points = rng.random((num_points, 2), dtype=np.float32)
    fresh = rng.random((2000, 2), dtype=np.float32)
    methods = {"VAE": (VAE, {}), f"HMC-DLGM, M = {num_steps}": (HMCDLGM, {"num_steps": num_steps})}
    figure = Figure(figsize=(9, 4.9), layout="constrained")
    rows = []
    for axes, (label, (method, options)) in zip(
        figure.subplots(1, 2, sharey=True), methods.items(), strict=True
    ):
        model = _build(method, units, scale, seed, **options)
        print(f"unit_square: training the {label}", flush=True)
        _fit(model, points, epochs, jit_compile)
        values = quadrature_log_likelihood(model, fresh)
        stderr = samplers.standard_error(values)
        z = prior_quantiles(1000)
        curve = model.expected(tf.constant(z[:, None])).numpy()
        rows += [(label, *row) for row in np.column_stack([z, curve]).tolist()]
        axes.plot(*model.sample(2000, seed)["x"].T, ".", color="0.75", markersize=2)
        axes.plot(*curve.T)
        axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="black", linewidth=0.8)
        axes.set(xlim=(-0.2, 1.2), ylim=(-0.2, 1.2), aspect="equal", xlabel="x_0")
        axes.set_title(f"{label}: {values.mean():.2f} ± {stderr:.2f} nats")
    figure.axes[0].set_ylabel("x_1")
    return Plot(figure, ("model", "z", "x_0", "x_1"), rows)


def _build(method, units, scale, seed, **options):
    def normal(stddev, k):
        return keras.initializers.RandomNormal(stddev=stddev, seed=seed + k)

    # Kinks all over the prior, where zero biases would put every one at z = 0. A curve that starts
    # small and grows into the square, where one that starts outside leaves latents there for good:
    # no point is explained by them, so that nothing pulls them back.
    hidden = keras.layers.Dense(
        units, "relu", kernel_initializer=normal(3.0, 1), bias_initializer=normal(3.0, 2)
    )
    outputs = keras.layers.Dense(2, kernel_initializer=normal(0.02, 3))
    decoder = keras.Sequential([keras.Input((1,)), hidden, outputs])
    encoder = layers.mlp(
        (2,), (100, 100), (2,), activation="relu", output_bias=[0.0, -2.0], seed=seed + 4
    )
    # The likelihood's scale is in units of [-1, 1].
    return method(encoder, decoder, likelihood=Gaussian(2 * scale), seed=seed, **options)


def _fit(model, points, epochs, jit_compile):
    batch_size = min(250, len(points))
    num_updates = epochs * (len(points) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(0.005, num_updates)
    model.compile(keras.optimizers.Adam(rate), jit_compile=jit_compile)
    bar = keras.utils.Progbar(epochs, verbose=verbosity(), unit_name="epoch")
    progress = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: bar.update(epoch + 1))
    model.fit(points, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[progress])
