"""Scores the models of work directories again, and compares them image by image.

    python scripts/evaluate.py --workdir=runs/hmc_dlgm_digits --against=runs/vae_digits
    python scripts/evaluate.py --workdir=runs/hmc_dlgm_digits --num_increments=1000
    python scripts/evaluate.py --workdir=runs/ais_mnist --protocol=paper --num_images=10

With --against nothing is run, and flags of protocols are refused: the figures that both directories
hold by the same protocol are compared, with the standard error of the paired difference. Without
flags evaluation.json and log_likelihood.csv are written anew, by the run's own config; what flags
change is written to evaluations/NAME=VALUE.json and .csv. An evaluation that was interrupted goes
on when the same command is given again. A chain whose weight is NaN ends the evaluation in a
sentence that names the image; --skip_failed scores by the others.
"""

from absl import flags

from zoo.core.choices import PROTOCOLS, SCHEDULES, STARTS
from zoo.runs import cli

WORKDIR = cli.define_workdir()
AGAINST = flags.DEFINE_string("against", None, "Another work directory, to compare with.")
NAMED = flags.DEFINE_enum(
    "protocol", None, PROTOCOLS, "A protocol by name; other flags override it."
)
PROTOCOL = {
    "num_images": flags.DEFINE_integer("num_images", None, "First so many test images."),
    "num_chains": flags.DEFINE_integer("num_chains", None, "Chains per image."),
    "num_increments": flags.DEFINE_integer("num_increments", None, "Steps between temperatures."),
    "num_leapfrog_steps": flags.DEFINE_integer("num_leapfrog_steps", None, "Of each move."),
    "num_importance_samples": flags.DEFINE_integer(
        "num_importance_samples", None, "Samples of the encoder, for the estimate beside AIS."
    ),
    "num_simulated": flags.DEFINE_integer("num_simulated", None, "Simulated images for BDMC."),
    "start": flags.DEFINE_enum("start", None, STARTS, "Where chains start."),
    "schedule": flags.DEFINE_enum("schedule", None, SCHEDULES, "Inverse temperatures."),
    "chunk_size": flags.DEFINE_integer("chunk_size", None, "Images at a time."),
    "seed": flags.DEFINE_integer("seed", None, "Seed of chains and of the binarisation."),
    "skip_failed": flags.DEFINE_boolean(
        "skip_failed",
        None,
        "Whether chains whose weights are NaN are left out, and counted; else they end it.",
    ),
}

if __name__ == "__main__":
    cli.parse()

import samplers
from zoo import analysis, scores
from zoo.core.checks import UsageError
from zoo.runs import writers
from zoo.runs.locks import locked_run
from zoo.runs.run import Run, open_run


def main() -> None:
    if AGAINST.value is not None:
        for name, flag in {"protocol": NAMED, **PROTOCOL}.items():
            if flag.value is not None:
                raise UsageError(
                    f"{name} must be left out with against, which runs nothing; it was "
                    f"{flag.value!r}."
                )
        return compare(WORKDIR.value, AGAINST.value)
    run = open_run(WORKDIR.value, to_write=True)
    with locked_run(run.workdir):
        evaluate(run)


def evaluate(run: Run) -> None:
    """Scores the run's model by the flags, and by its own config where they say nothing."""
    given = {k: flag.value for k, flag in PROTOCOL.items() if flag.value is not None}
    own = run.config.evaluation.to_dict() | {"seed": run.config.seed}
    asked = PROTOCOLS.get(NAMED.value, {}) | given
    changed = {name: value for name, value in asked.items() if value != own.get(name)}
    protocol = run.config.evaluation.to_dict() | changed
    scores.check_protocol(**{name: v for name, v in protocol.items() if name != "seed"})
    writers.write_evaluation(run, changed)


def compare(path: str, against: str) -> None:
    """Prints paired differences in log-likelihood, by every protocol that scored both."""
    runs = [open_run(path), open_run(against)]
    found = [{} for _ in runs]
    for run, scored in zip(runs, found, strict=True):
        for evaluation in run.evaluations:  # its own first, which others of the protocol leave
            scored.setdefault(analysis.protocol_of(evaluation), evaluation)
    shared = [protocol for protocol in found[0] if protocol in found[1]]
    if not shared:
        analysis.check_scored_alike(runs)
    for protocol in shared:
        for run, scored in zip(runs, found, strict=True):
            run.evaluation = scored[protocol]
        analysis.check_scored_alike(runs)
        if len(shared) > 1:
            print(f"\n{protocol}")
        print_difference(runs)
    for run, scored in zip(runs, found, strict=True):
        for protocol in scored:
            if protocol not in shared:
                print(f"{run.workdir} alone was scored by: {protocol}")


def print_difference(runs: list[Run]) -> None:
    """Prints the log-likelihoods of two runs that were scored alike, and their difference."""
    for run in runs:
        print(f"{run.workdir:<40}{run.evaluation[0]['log_likelihood']:10.3f} nats per image")
    difference = runs[0].evaluation[1] - runs[1].evaluation[1]
    stderr = samplers.standard_error(difference)
    told = f"{stderr:.3f}" if len(difference) > 1 else "an error that one image does not tell"
    print(f"{'difference, paired by image':<40}{difference.mean():+10.3f} +- {told}")


if __name__ == "__main__":
    cli.run(main)
