"""Writes the model of a work directory as a SavedModel, DIR/export, or for other runtimes.

    python scripts/export.py --workdir=runs/hmc_dlgm_digits
    saved_model_cli show --dir=runs/hmc_dlgm_digits/export --all
    python scripts/export.py --preset=hmc_dlgm_digits --format=onnx

ONNX and LiteRT have a file for each endpoint, in DIR/onnx and DIR/litert; what cannot go is told.
"""

import json

from absl import flags

from zoo.core.choices import EXPORT_FORMATS
from zoo.runs import cli

WORKDIR = cli.define_workdir()
FORMAT = flags.DEFINE_enum(
    "format", "saved_model", EXPORT_FORMATS, "For TensorFlow, ONNX's runtimes or LiteRT."
)

if __name__ == "__main__":
    cli.parse()

import zoo
from zoo.runs import manifest
from zoo.runs.run import open_run
from zoo.serving.endpoints import INDEX
from zoo.serving.export import EXPORTED


def main() -> None:
    run = open_run(WORKDIR.value, to_write=True)
    model = run.model
    name = "export" if FORMAT.value == "saved_model" else FORMAT.value
    path = manifest.claim(run.workdir, name, *EXPORTED[FORMAT.value])
    left_out = zoo.export(model, path, FORMAT.value)
    if FORMAT.value == "saved_model":
        print(f"{path}: {', '.join(model.signatures())}")
    else:
        print(f"{path}: {', '.join(json.loads((path / INDEX).read_text())['endpoints'])}")
    for endpoint, reason in left_out.items():
        print(f"left out: {endpoint} {reason}.")


if __name__ == "__main__":
    cli.run(main)
