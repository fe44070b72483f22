"""Priors of binary latents by name."""

from zoo.core.checks import UsageError
from zoo.parts.binary_prior import BinaryPrior
from zoo.parts.independent_prior import IndependentPrior
from zoo.parts.part import make_part
from zoo.parts.rbm_prior import RBMPrior

PRIORS = {"independent": IndependentPrior, "rbm": RBMPrior}


def get_binary_prior(prior: str | dict | BinaryPrior, **known) -> BinaryPrior:
    """Makes a prior by its name or by a dictionary of its `name` and arguments.

    Args:
      prior: "rbm", "independent", such a dictionary, or an object.
      **known: what the model knows: `latent_dims`, `seed`, and what an RBM takes.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, arguments that it does not take, or a prior of other latents.
    """
    made = make_part("prior", PRIORS, prior, **known)
    if not isinstance(made, BinaryPrior):
        raise UsageError(f"prior must be over bits, 'rbm' or 'independent'; it was {prior!r}.")
    return made
