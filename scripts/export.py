"""Writes the model of a work directory as a SavedModel, DIR/export, for TensorFlow alone.

python scripts/export.py --workdir=runs/hmc_dlgm_digits
saved_model_cli show --dir=runs/hmc_dlgm_digits/export --all
"""

from zoo.runs import cli

WORKDIR = cli.define_workdir()

if __name__ == "__main__":
    cli.parse()

import zoo
from zoo.runs import manifest
from zoo.runs.run import open_run
from zoo.serving.export import EXPORTED


def main() -> None:
    run = open_run(WORKDIR.value, to_write=True)
    model = run.model
    path = manifest.claim(run.workdir, "export", *EXPORTED)
    zoo.export(model, path)
    print(f"{path}: {', '.join(model.signatures())}")


if __name__ == "__main__":
    cli.run(main)
