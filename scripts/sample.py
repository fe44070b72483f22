"""Draws from the model of a work directory.

    python scripts/sample.py --workdir=runs/hmc_dlgm_digits --num_samples=100

Writes samples.png, a square of expected images, and samples.npz, with the draws `x` and their
expectations `mean`, [num_samples, height, width, channels], pixels in [0, 1]. A conditional model
draws completions of the first test image; one of classes draws all, or that of --label. The seed is
printed, and --seed repeats the draws.

Of sequences the arrays are [num_samples, T, D], behind --length 0, and the picture shows draws; of
waveforms whose rate is known samples.wav holds them all, with pauses between.
"""

from absl import flags

from zoo.runs import cli

WORKDIR = cli.define_workdir()
NUM_SAMPLES = flags.DEFINE_integer("num_samples", 100, "How many.")
SEED = flags.DEFINE_integer(
    "seed", None, "Seed of the draws, which repeats them; by default a new one, which is printed."
)
LENGTH = flags.DEFINE_integer(
    "length", None, "Steps of all draws, of a model of sequences; by default as many as can be."
)
LABEL = flags.DEFINE_integer("label", None, "Class of all draws, of a model of classes.")

if __name__ == "__main__":
    cli.parse()

from zoo.runs import completions
from zoo.runs.run import open_run


def main() -> None:
    run = open_run(WORKDIR.value, to_write=True)
    asked = {"y": LABEL.value, "length": LENGTH.value}
    given = {name: value for name, value in asked.items() if value is not None}
    completions.write_samples(run, NUM_SAMPLES.value, SEED.value, **given)


if __name__ == "__main__":
    cli.run(main)
