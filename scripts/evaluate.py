"""Scores the models of work directories again, and compares them image by image.

    python scripts/evaluate.py --workdir=runs/hmc_dlgm_digits --num_increments=1000
    python scripts/evaluate.py --workdir=runs/hmc_dlgm_digits --against=runs/vae_digits

The first writes evaluation.json and log_likelihood.csv anew. With --against nothing is run: the
figures that both directories hold are compared, with the standard error of the paired difference.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import flags

from zoo import cli, experiment, outputs
from zoo.annealing import SCHEDULES, STARTS
from zoo.checks import UsageError

WORKDIR = cli.define_workdir()
AGAINST = flags.DEFINE_string("against", None, "Another work directory, to compare with.")
PROTOCOL = {
    "num_images": flags.DEFINE_integer("num_images", None, "First so many test images; all."),
    "num_chains": flags.DEFINE_integer("num_chains", 16, "Chains per image."),
    "num_increments": flags.DEFINE_integer("num_increments", 200, "Steps between temperatures."),
    "num_leapfrog_steps": flags.DEFINE_integer("num_leapfrog_steps", 5, "Leapfrog steps a move."),
    "num_simulated": flags.DEFINE_integer("num_simulated", 100, "Simulated images for BDMC."),
    "start": flags.DEFINE_enum("start", "posterior", STARTS, "Where chains start."),
    "schedule": flags.DEFINE_enum("schedule", "sigmoid", SCHEDULES, "Inverse temperatures."),
    "chunk_size": flags.DEFINE_integer("chunk_size", 100, "Images at a time."),
    "seed": flags.DEFINE_integer("seed", 0, "Seed of chains and of the binarisation."),
}


def main() -> None:
    if AGAINST.value is not None:
        return compare(WORKDIR.value, AGAINST.value)
    config = experiment.load_config(WORKDIR.value)
    data, model = experiment.load_data(config), experiment.load(WORKDIR.value)
    workdir = experiment.make_workdir(WORKDIR.value)
    protocol = {name: flag.value for name, flag in PROTOCOL.items()}
    outputs.write_evaluation(model, data.test, workdir, **protocol)


def compare(workdir: str, against: str) -> None:
    """Prints the paired difference in log-likelihood."""
    runs = [outputs.read_log_likelihood(path) for path in (workdir, against)]
    for key in ("num_images", "seed", "protocol"):
        if runs[0][0][key] != runs[1][0][key]:
            raise UsageError(
                f"against: {key} must be the same in both runs; "
                f"it was {runs[0][0][key]!r} and {runs[1][0][key]!r}."
            )
    difference = runs[0][1] - runs[1][1]
    stderr = difference.std(ddof=1) / np.sqrt(len(difference))
    for path, (figures, _) in zip((workdir, against), runs, strict=True):
        print(f"{path:<40}{figures['log_likelihood']:10.3f} nats per image")
    print(f"{'difference, paired by image':<40}{difference.mean():+10.3f} +- {stderr:.3f}")


if __name__ == "__main__":
    cli.run(main)
