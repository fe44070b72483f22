"""Draws figures of fitted models, each as NAME.png with its numbers in NAME.csv.

    python scripts/figures.py
    python scripts/figures.py --figure=jacobian_spectrum --workdir=runs/vae_digits,runs/hmc_digits
    python scripts/figures.py --figure=step_size_objective --workdir=runs/short_run_digits
    python scripts/figures.py --figure=unit_square

The first lists the figures. Most compare the models of work directories that scripts/train.py
wrote, in the order given; unit_square trains its own, and implicit_posteriors needs none. Several
names and several directories are separated by commas.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from zoo import cli, experiment
from zoo.evaluation import figures

FIGURE = flags.DEFINE_list("figure", [], "Names of figures; without any, they are listed.")
WORKDIR = flags.DEFINE_list("workdir", [], "Work directories that scripts/train.py wrote.")
OUT = flags.DEFINE_string("out", "figures", "Where the figures are written.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of all draws.")


def main() -> None:
    if not FIGURE.value:
        for name, shows in figures.descriptions().items():
            print(f"{name:<30}{shows}")
        return
    runs = figures.runs_of(WORKDIR.value)
    for name in FIGURE.value:
        figures.check(name, runs)
    out = experiment.make_workdir(OUT.value, name="out")
    for name in FIGURE.value:
        figures.write(figures.draw(name, runs, seed=SEED.value), out, name)
        print(f"{out / name}.png, {out / name}.csv")


if __name__ == "__main__":
    cli.run(main)
