"""SavedModels: a model's endpoints as pure functions of their inputs, for TensorFlow alone."""

import pathlib
import tempfile

import keras

from zoo.base import GenerativeModel
from zoo.checks import UsageError


def export(model: GenerativeModel, path: str) -> None:
    """Writes the model's `signatures` as a SavedModel; an older export is replaced.

    Endpoints are not compiled by XLA, take their seed as an int32[2] input, and serve batches of
    any size. Loading needs nothing but TensorFlow.

    Args:
      model: a built model.
      path: of the directory to write: a new one, or an older export.

    Raises:
      UsageError: if something else is at `path`.
    """
    path = pathlib.Path(path)
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise UsageError(f"path must be new or hold an older export; {str(path)!r} is neither.")
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (endpoint, specs) in model.signatures().items():
        archive.add_endpoint(name, endpoint, specs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as partial:
        archive.write_out(f"{partial}/export", verbose=False)
        if path.exists():
            path.rename(f"{partial}/older")
        pathlib.Path(f"{partial}/export").rename(path)
