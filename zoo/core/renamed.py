"""Names of earlier versions: each answers with one sentence that tells the new one."""

from zoo.core.checks import UsageError

NAMES = {  # of `zoo`, methods among them
    "UndirectedDVAE": 'DVAE(posterior="undirected")',
    "UndirectedStructuredPrediction": 'StructuredPrediction(posterior="undirected")',
    "evaluation": "scores",
    "distribution": "runs.strategies",
    "experiment": "runs",
    "outputs": "runs",
    "configs": "runs.config, and scripts/configs",
    "checkpoint": "Checkpoints",
    "callbacks": "runs.callbacks",
    "plots": "analysis.pictures",
    "annealing": "core.annealing",
    "step_size": "parts.step_size_search",
    "rbm_prior": "parts.rbm_prior",
    "binary_posteriors": "parts.binary_posteriors",
    "registry": "core.registry",
    "checks": "core.checks",
    "cli": "runs.cli",
}
ARGUMENTS = {  # of models
    "upper_encoder": "posterior, zoo.parts.TwoLayerPosterior(upper_encoder)",
    "upper_decoder": "prior, zoo.parts.LayeredPrior(upper_decoder)",
    "num_groups": 'posterior, {"name": "directed", "num_groups": ...}',
    "num_posterior_sweeps": 'posterior, {"name": "undirected", "num_posterior_sweeps": ...}',
    "num_relaxed_sweeps": 'posterior, {"name": "undirected", "num_relaxed_sweeps": ...}',
}


def check(what: str, name: str) -> None:
    """Refuses a name of an earlier version.

    Raises:
      UsageError: naming what replaced it.
    """
    if name in NAMES:
        raise UsageError(f"{what}: {name!r} is now zoo.{NAMES[name]}.")


def check_arguments(given) -> None:
    """Refuses arguments of models of an earlier version.

    Raises:
      UsageError: naming what replaced one of them.
    """
    for name in given:
        if name in ARGUMENTS:
            raise UsageError(f"{name} is now given by the argument {ARGUMENTS[name]}.")
