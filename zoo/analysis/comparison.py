"""Which runs can be compared by their scores."""

from collections.abc import Sequence

from zoo.analysis.figures import Run
from zoo.core.checks import UsageError


def check_scored_alike(runs: Sequence[Run], *, seeds: bool = True) -> None:
    """Refuses to compare runs that were not scored on the same images by the same protocol.

    Args:
      runs: which were scored.
      seeds: whether their seeds must be the same, too, so that images can be paired.

    Raises:
      UsageError: naming what differs, and in which runs.
    """
    first = None
    for run in runs:
        figures, _ = run.evaluation
        images = {k: v for k, v in run.config.data.items() if k not in ("batch_size", "data_dir")}
        scored = {"data": images, "likelihood": run.config.model.get("likelihood")}
        keys = ("num_images", "protocol", *(["seed"] if seeds else []))
        scored |= {key: figures.get(key) for key in keys}
        first = first or scored
        for key, value in scored.items():
            if value != first[key]:
                raise UsageError(
                    f"workdir: {key} must be the same in all runs; it was {first[key]!r} in "
                    f"{runs[0].workdir!r} and {value!r} in {run.workdir!r}."
                )
