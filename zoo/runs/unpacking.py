"""Presets as work directories of finished runs, which every program takes."""

import pathlib

import ml_collections

from zoo.core.checks import UsageError
from zoo.core.preset_files import make_model
from zoo.core.presets import open_preset
from zoo.core.registry import get_method
from zoo.runs import manifest, workdir
from zoo.runs.config import check_config
from zoo.runs.locks import locked_run
from zoo.runs.run import Run
from zoo.runs.writers import write_model

FOLDER = pathlib.Path("runs") / "presets"


def unpack(name: str, path: str | pathlib.Path | None = None) -> str:
    """Makes a preset the work directory of a finished run, or finds that it is one.

    Args:
      name: of the preset, as `zoo.from_preset` takes it.
      path: of the directory; runs/presets/NAME by default.

    Returns:
      The path of the directory, which holds what `train` leaves: config, model and manifest.

    Raises:
      UsageError: for a preset that is none, or without a run's config, or if the directory holds
        something else.
    """
    preset = open_preset(name)
    path = pathlib.Path(path or FOLDER / preset.label)
    origin = {"name": preset.name, "sha256": preset.card["sha256"]}
    if not isinstance(preset.config.get("run"), dict):
        raise UsageError(
            f"{preset.told} has no config of a run, which programs need; zoo.from_preset reads it."
        )
    if manifest.holds_run(path):
        found = manifest.noted(path, "preset", {})
        if found.get("sha256") != origin["sha256"]:
            raise UsageError(
                f"workdir: {str(path)!r} holds another run; give another directory by --workdir."
            )
        if manifest.noted(path, "finished") and (path / workdir.MODEL).is_file():
            return str(path)
    model = make_model(preset)
    config = check_config(ml_collections.ConfigDict(preset.config["run"]))
    get_method(config.model.name)
    with locked_run(workdir.make_workdir(path)):
        workdir.start_run(path, config, files=[workdir.MODEL], overwrite=manifest.holds_run(path))
        manifest.note(path, preset=origin)
        run = Run(str(path), config)
        run.model = model
        write_model(run)
        workdir.finish_run(path)
    print(f"{preset.name} is unpacked into {str(path)!r}")
    return str(path)
