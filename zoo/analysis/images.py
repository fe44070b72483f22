"""Grids of images in a figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from zoo.analysis import pictures
from zoo.core.checks import UsageError


def check_image_model(model) -> None:
    """Refuses a model whose observations are not images."""
    shape = model.fields["x"].shape
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise UsageError(
            "model must be one of images [height, width, 1 or 3] to be shown; "
            f"{model.name!r} is one of {list(shape)}."
        )


def show_grid(axes: Axes, images: np.ndarray, labels: Sequence = ()) -> None:
    """Shows images [R, C, height, width, channels], with labels below the columns if given."""
    picture = np.clip(pictures.image_grid(images), 0.0, 1.0)
    axes.imshow(picture.repeat(3 // picture.shape[-1], axis=-1))
    centres = (np.arange(len(labels)) + 0.5) * picture.shape[1] / images.shape[1] - 0.5
    axes.set_xticks(centres, [str(label) for label in labels])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
