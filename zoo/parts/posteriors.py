"""Posteriors over real latents by name."""

from zoo.core.abilities import defines
from zoo.core.checks import UsageError
from zoo.parts.flow_posteriors import IAFPosterior, NICEPosterior, PlanarPosterior
from zoo.parts.gaussian_posteriors import MeanFieldPosterior
from zoo.parts.part import Part, make_part

POSTERIORS = {
    "mean_field": MeanFieldPosterior,
    "planar": PlanarPosterior,
    "nice": NICEPosterior,
    "iaf": IAFPosterior,
}


def get_posterior(posterior: str | dict | Part, dtype: str | None = None, seed: int = 0) -> Part:
    """Makes a posterior by its name or by a dictionary of its `name` and arguments.

    Args:
      posterior: such a name or dictionary, or an object.
      dtype: of the model.
      seed: of initial weights, where the posterior has some.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    part = make_part("posterior", POSTERIORS, posterior, dtype=dtype, seed=seed)
    if not (defines(part, "start_features") and defines(part, "propose")):
        raise UsageError(
            f"posterior must be one of {', '.join(map(repr, POSTERIORS))}, a dictionary of such a "
            f"name, or an object of zoo.parts; it was {part!r:.80}."
        )
    return part
