"""Completes half-seen test images by the model of a work directory, several times each.

    python scripts/inpaint.py --workdir=runs/hmc_dlgm_digits --mask=left --num_completions=4

Writes inpainting_MASK.png (image, what is seen of it, expected completions) and
inpainting_MASK.npz, with the images `x`, the mask `visible`, and per completion the draw
`completions` and its expectation `means`, [num_completions, num_images, height, width, channels],
pixels in [0, 1].
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from zoo import cli, experiment, outputs
from zoo.data import MASKS

WORKDIR = cli.define_workdir()
MASK = flags.DEFINE_enum("mask", "left", MASKS, "What is hidden.")
NUM_IMAGES = flags.DEFINE_integer("num_images", 10, "First so many test images.")
NUM_COMPLETIONS = flags.DEFINE_integer("num_completions", 4, "Independent completions of each.")
NUM_STEPS = flags.DEFINE_integer("num_steps", 100, "Transitions of the chain of each.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the chains and of a random mask.")


def main() -> None:
    config, model = experiment.load_config(WORKDIR.value), experiment.load(WORKDIR.value)
    workdir = experiment.make_workdir(WORKDIR.value)
    outputs.write_inpainting(
        model,
        experiment.load_data(config).test,
        workdir,
        mask=MASK.value,
        num_images=NUM_IMAGES.value,
        num_completions=NUM_COMPLETIONS.value,
        num_steps=NUM_STEPS.value,
        seed=SEED.value,
    )


if __name__ == "__main__":
    cli.run(main)
