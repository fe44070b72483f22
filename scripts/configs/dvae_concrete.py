"""Concrete bits (Maddison et al. 2017): independent priors, and a KL of relaxed bits."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(
        *choose(choice, CHOICES),
        name="DVAE",
        posterior=_vahdat.DIRECTED,
        prior={"name": "independent", "concrete_beta": 2.0},
        relaxation={"name": "concrete", "beta": 1.5},
        kl="relaxed",
    )
