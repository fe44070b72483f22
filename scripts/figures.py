"""Draws figures of fitted models, each as NAME.png with its numbers in NAME.csv.

    python scripts/figures.py
    python scripts/figures.py --figure=jacobian_spectrum --workdir=runs/vae_digits,runs/hmc_digits
    python scripts/figures.py --figure=step_size_objective --workdir=runs/short_run_digits
    python scripts/figures.py --figure=jacobian_spectrum --preset=vae_digits,hmc_dlgm_digits
    python scripts/figures.py --figure=unit_square
    python scripts/figures.py --figure=gibbs_gradient_toy --set=num_samples=100 --set=num_runs=10

The first lists the figures. Most compare the models of work directories that scripts/train.py
wrote, in the order given, and of presets behind them; unit_square trains its own,
implicit_posteriors and gibbs_gradient_toy need none. Several names and several directories are
separated by commas. What can be set is what the figure's function takes.
"""

from absl import flags

from zoo.runs import cli

FIGURE = flags.DEFINE_list("figure", [], "Names of figures; without any, they are listed.")
WORKDIRS = cli.define_workdirs()
OUT = flags.DEFINE_string("out", "figures", "Where the figures are written.")
SET = flags.DEFINE_multi_string("set", [], "A setting of the figures, NAME=VALUE; repeatable.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of all draws.")

if __name__ == "__main__":
    cli.parse()

import ast

from zoo import analysis
from zoo.core.checks import UsageError
from zoo.runs.run import open_runs
from zoo.runs.workdir import make_workdir
from zoo.scripts import studies  # noqa: F401 (registers them)


def main() -> None:
    if not FIGURE.value:
        for name, shows in analysis.descriptions().items():
            print(f"{name:<30}{shows}")
        return
    runs = open_runs(WORKDIRS())
    settings = {"seed": SEED.value} | dict(map(read_setting, SET.value))
    for name in FIGURE.value:
        analysis.check(name, runs, settings)
    out = make_workdir(OUT.value, name="out")
    for name in FIGURE.value:
        analysis.write(analysis.draw(name, runs, **settings), out, name)
        print(f"{out / name}.png, {out / name}.csv")


def read_setting(text: str) -> tuple:
    """A name and a value: a number, a list, True or False, or else what it reads."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"set must be NAME=VALUE; it was {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


if __name__ == "__main__":
    cli.run(main)
