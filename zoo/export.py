"""SavedModels: a model's endpoints as pure functions of their inputs, for TensorFlow alone."""

import pathlib
import shutil
import tempfile

import keras

from zoo.base import GenerativeModel


def export(model: GenerativeModel, path: str) -> None:
    """Writes the model's `signatures` as a SavedModel; what was at `path` is replaced.

    Endpoints are not compiled by XLA, take their seed as an int32[2] input, and serve batches of
    any size. Loading needs nothing but TensorFlow.

    Args:
      model: a built model.
      path: of the directory to write.
    """
    path = pathlib.Path(path)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (endpoint, specs) in model.signatures().items():
        archive.add_endpoint(name, endpoint, specs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as partial:
        archive.write_out(f"{partial}/export", verbose=False)
        shutil.rmtree(path, ignore_errors=True)
        pathlib.Path(f"{partial}/export").rename(path)
