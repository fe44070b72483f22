"""A flight through latent space, as a moving picture."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoo.analysis.pictures import check_image_model, image_grid, panels_in_a_row, show_grid
from zoo.analysis.registry import Plot, Run, register_figure
from zoo.core.checks import check_count
from zoo.scores.standard_normal import num_latents


@register_figure
def latent_flight(
    runs: Sequence[Run],
    *,
    num_flights: int = 4,
    num_stops: int = 6,
    num_between: int = 10,
    seed: int = 0,
) -> Plot:
    """A flight through latent space: expected images on a closed way through draws of the prior.

    From stop to stop z turns on the sphere: cos(a) z + sin(a) z' is a draw of N(0, I), too, for
    every angle a from 0 to pi / 2. The picture shows the stops, a flight by row; the flights
    themselves are a GIF. The table has the first two latents of every image.

    Args:
      runs: of models of images with the prior N(0, I).
      num_flights: of each run.
      num_stops: draws of the prior that a flight goes through.
      num_between: images between two stops.
      seed: int, of the stops.

    Returns:
      The picture with its frames, and a table with a row for each image of the first flights.

    Raises:
      UsageError: for other models, or an argument out of its range.
    """
    check_count(num_flights=num_flights, num_stops=num_stops, num_between=num_between)
    angles = np.arange(num_between + 1) / (num_between + 1) * np.pi / 2
    figure, panels = panels_in_a_row(len(runs), 0.7 * num_stops, 0.7 * num_flights)
    rows, flights = [], []
    for run, axes in zip(runs, panels, strict=True):
        check_image_model(run.model)
        size = num_latents(run.model)
        stops = np.random.default_rng(seed).standard_normal((num_stops, num_flights, size))
        pairs = zip(stops, np.roll(stops, -1, axis=0), strict=True)
        z = np.stack(
            [np.cos(a) * here + np.sin(a) * there for here, there in pairs for a in angles]
        )
        expected = tf.function(run.model.expected, autograph=False)
        images = np.stack([expected(tf.constant(one[None], run.model.dtype))[0] for one in z])
        flights.append(images)
        show_grid(axes, np.swapaxes(images[:: num_between + 1], 0, 1))
        axes.set(title=run.label)
        rows += [(run.label, k, *map(float, one[0, :2])) for k, one in enumerate(z)]
    frames = [
        np.concatenate([image_grid(images[k][:, None]) for images in flights], axis=1)
        for k in range(len(flights[0]))
    ]
    columns = ("model", "image", "z_0", "z_1")[: 2 + min(2, len(rows[0]) - 2)]
    return Plot(figure, columns, rows, frames)
