"""Completes half-seen test images by the model of a work directory, several times each.

    python scripts/inpaint.py --workdir=runs/hmc_dlgm_digits --mask=left --num_completions=4
    python scripts/inpaint.py --workdir=runs/hmc_dlgm_digits --mask=box,pattern --coverage=0.3
    python scripts/inpaint.py --workdir=runs/photos --image=mine.jpg --mask=hole.png

Of sequences the first steps are seen, and what follows them, the rest of each one's length, is
completed; --coverage is the share of that.

An own picture (--image) is turned, cut, resized and made grey as the run's training images were. A
mask of one's own is a picture or an array in a .npy file, of which what is white (255, 1, True) is
visible and what is black is completed; it has the size of the picture that it was drawn for, and is
cut and resized with it, or the size of the model's images.

Prints for each mask the mean squared error on the hidden pixels, averaged over the images: of the
mean of the completions, which estimates the posterior mean, and of a single completion. A
completion counts by its expectation given its latents, and so it does in the pictures. The seed is
printed, too, and --seed repeats all.

With --num_chains=2 and more each completion is the first of so many chains, whose split R-hat,
`r_hat` in the npz file, tells whether they have mixed; of images above 1.05 a warning tells.

Writes inpainting_MASK.png, with rows of images, what is seen of them, their completions and, of two
and more, the standard deviation of these (black is 0, white 0.5); of one image these fill a square,
each with its name. Of own pictures completed_MASK.png shows the completions' mean alone; of one
--image all names begin with its own, as in completed_IMAGE_MASK.png. Writes inpainting_MASK.npz,
with the images `x`, the mask `visible`, per completion the draw `completions` and its expectation
`means`, [num_completions, num_images, height, width, channels], pixels in [0, 1], and the errors
`hidden_mse`, [num_completions, num_images], and `hidden_mse_of_mean`, [num_images].
"""

from absl import flags

from zoo.core.choices import MASKS, SEQUENCE_MASKS, is_own_file
from zoo.runs import cli

WORKDIR = cli.define_workdir()
NAMES = (*MASKS, *SEQUENCE_MASKS)
MASK = flags.DEFINE_list(
    "mask",
    None,
    f"What is hidden: any of {', '.join(MASKS)}; of sequences {', '.join(SEQUENCE_MASKS)}; or "
    "files of pictures or arrays, in which white, or True, is visible. By default the left, of "
    "sequences the rest, or what a conditional model is trained to complete.",
)
flags.register_validator(
    "mask",
    lambda names: names is None or (names and all(n in NAMES or is_own_file(n) for n in names)),
    f"must be of {'|'.join(NAMES)}, or files such as mask.png or mask.npy.",
)
IMAGE = flags.DEFINE_multi_string(
    "image", [], "A picture of your own to complete; several times for several. Else test images."
)
COVERAGE = flags.DEFINE_float(
    "coverage", None, "Share of what is hidden, in (0, 1); by default 0.25 by a box, else 0.5."
)
NUM_IMAGES = flags.DEFINE_integer("num_images", 10, "First so many test images, or all.")
NUM_COMPLETIONS = flags.DEFINE_integer("num_completions", 4, "Independent completions of each.")
NUM_STEPS = flags.DEFINE_integer(
    "num_steps", None, "Transitions of the chain of each; by default the model's own number."
)
NUM_CHAINS = flags.DEFINE_integer(
    "num_chains", 1, "Chains of each completion; from two up it is told whether they have mixed."
)
SEED = flags.DEFINE_integer(
    "seed",
    None,
    "Seed of the chains and of the random masks, which repeats them; by default a new one, which "
    "is printed.",
)

if __name__ == "__main__":
    cli.parse()

from zoo.runs import completions
from zoo.runs.run import open_run


def main() -> None:
    run = open_run(WORKDIR.value, to_write=True)
    completions.write_inpainting(
        run,
        masks=MASK.value,
        coverage=COVERAGE.value,
        num_images=NUM_IMAGES.value,
        num_completions=NUM_COMPLETIONS.value,
        num_steps=NUM_STEPS.value,
        num_chains=NUM_CHAINS.value,
        seed=SEED.value,
        images=IMAGE.value,
    )


if __name__ == "__main__":
    cli.run(main)
