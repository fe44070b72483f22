"""DVAE# (Vahdat et al. 2018): an RBM prior and a posterior of power functions."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(
        *choose(choice, CHOICES),
        name="DVAE",
        posterior=_vahdat.DIRECTED,
        relaxation={"name": "power", "beta": 30.0},
        kl="relaxed",
    )
