"""Which runs can be compared by their scores."""

from collections.abc import Sequence

import numpy as np

from zoo.analysis.registry import Run
from zoo.core.checks import UsageError


def scored_images(run: Run) -> dict:
    """Tells which images a run was scored on.

    Args:
      run: a run that was scored.

    Returns:
      What its config says of the data, but for how they are batched and where they lie, and the
      number of images: equal for two runs that were scored on the same images.

    Raises:
      UsageError: if it was not scored.
    """
    figures, _ = run.evaluation
    images = {k: v for k, v in run.config.data.items() if k not in ("batch_size", "data_dir")}
    return images | {"num_images": figures["num_images"]}


def protocol_of(evaluation: tuple[dict, np.ndarray]) -> str:
    """Tells by which protocol a run was scored, the same words for the same protocol.

    Args:
      evaluation: the scores of a run by name, and the log-likelihood of every image.
    """
    figures, _ = evaluation
    return f"{figures['protocol']}, {figures['num_images']} images, seed {figures['seed']}"


def check_scored_alike(runs: Sequence[Run], *, seeds: bool = True) -> None:
    """Refuses to compare runs that were not scored on the same images by the same protocol.

    Args:
      runs: runs that were scored.
      seeds: whether their seeds must be the same, too, so that images can be paired.

    Raises:
      UsageError: naming what differs, and in which runs; or for images without a finite score.
    """
    first = None
    for run in runs:
        figures, per_image = run.evaluation
        if unknown := int((~np.isfinite(per_image)).sum()):
            raise UsageError(
                f"workdir: all images must have a finite log-likelihood to be compared; "
                f"{unknown} of {len(per_image)} in {run.workdir!r} have none."
            )
        images = scored_images(run)
        num_images = images.pop("num_images")
        scored = {"data": images, "likelihood": run.config.model.get("likelihood")}
        scored |= {"num_images": num_images, "protocol": figures["protocol"]}
        scored |= {"seed": figures["seed"]} if seeds else {}
        first = first or scored
        for key, value in scored.items():
            if value != first[key]:
                raise UsageError(
                    f"workdir: {key} must be the same in all runs; it was {first[key]!r} in "
                    f"{runs[0].workdir!r} and {value!r} in {run.workdir!r}."
                )
