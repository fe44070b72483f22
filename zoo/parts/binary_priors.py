"""Priors of binary latents by name."""

from zoo.parts.binary_prior import BinaryPrior
from zoo.parts.independent_prior import IndependentPrior
from zoo.parts.part import make_part
from zoo.parts.rbm_prior import RBMPrior

PRIORS = {"independent": IndependentPrior, "rbm": RBMPrior}


def get_binary_prior(prior: str | dict | BinaryPrior, **known) -> BinaryPrior:
    """Makes a prior by its name or by a dictionary of its `name` and arguments.

    Args:
      prior: "rbm", "independent", such a dictionary, or an object.
      **known: what the model knows: `latent_dims` and `seed`.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("prior", PRIORS, prior, **known)
