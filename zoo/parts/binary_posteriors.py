"""Posteriors over binary latents by name."""

from zoo.parts.binary_posterior import BinaryPosterior
from zoo.parts.directed_posterior import DirectedPosterior
from zoo.parts.part import make_part
from zoo.parts.undirected_posterior import UndirectedPosterior

POSTERIORS = {"directed": DirectedPosterior, "undirected": UndirectedPosterior}


def get_binary_posterior(posterior: str | dict | BinaryPosterior, **known) -> BinaryPosterior:
    """Makes a posterior by its name or by a dictionary of its `name` and arguments.

    Args:
      posterior: "directed", "undirected", such a dictionary, or an object.
      **known: what the model knows: `latent_dims`, `num_examples` and `seed`.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("posterior", POSTERIORS, posterior, **known)
