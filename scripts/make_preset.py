"""Makes a preset of a finished run: its config, weights and card, in a folder of their own.

    python scripts/make_preset.py --workdir=runs/vae_digits --name=vae_digits
    python scripts/make_preset.py --workdir=runs/photos --name=photos --licence="my own" --folder=.

The folder, FOLDER/NAME, is what --preset=FOLDER/NAME of other programs and `zoo.from_preset` read;
those in zoo/presets are known by name. Matrices are stored in float16, and the model is scored, by
the evaluation of the run's config, as it is read from there. The card tells the score with its
standard error, and the data, settings, seed, command, commit, time and licence.
"""

from absl import flags

from zoo.core.presets import PACKAGED
from zoo.runs import cli

WORKDIR = flags.DEFINE_string(
    "workdir", None, "A work directory that the program `train` wrote.", required=True
)
NAME = flags.DEFINE_string("name", None, "What the preset is called.", required=True)
FOLDER = flags.DEFINE_string("folder", str(PACKAGED), "Where the folder NAME is written.")
LICENCE = flags.DEFINE_string("licence", None, "Of the data; that of digits and MNIST is known.")
COMMIT = flags.DEFINE_string("commit", None, "Of the code that trained; by default what runs.")
DTYPE = flags.DEFINE_enum("dtype", "float16", ("float16", "float32"), "Of matrices in the file.")

if __name__ == "__main__":
    cli.parse()

import pathlib
import re
import tempfile

import zoo
from zoo.core.checks import UsageError
from zoo.runs import cards, manifest
from zoo.runs.run import open_run


def main() -> None:
    if not re.fullmatch(r"\w[\w.-]*", NAME.value):
        raise UsageError(f"name must be of letters, digits, _, - and .; it was {NAME.value!r}.")
    run = open_run(WORKDIR.value)
    if not manifest.noted(run.workdir, "finished"):
        raise UsageError(f"workdir: {run.workdir!r} must hold a finished run.")
    kept = {"run": run.config.to_dict(), "dtype": DTYPE.value}
    with tempfile.TemporaryDirectory() as folder:
        stored = pathlib.Path(folder) / NAME.value
        run.model.save_to_preset(stored, **kept)
        model = zoo.from_preset(stored)
        card = cards.make_card(
            run,
            model,
            name=NAME.value,
            licence=LICENCE.value,
            commit=COMMIT.value or cards.commit_here(),
        )
    path = pathlib.Path(FOLDER.value) / NAME.value
    run.model.save_to_preset(path, card=card, **kept)
    size = sum(file.stat().st_size for file in path.iterdir())
    metric = card["metric"]
    error = "" if metric["stderr"] is None else f" +- {metric['stderr']:.4f}"
    print(f"{metric['name']} {metric['value']:.4f}{error} {metric['unit']}")
    print(f"{path}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    cli.run(main)
