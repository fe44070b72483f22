"""GumBolt (Khoshaman and Amin 2018): an RBM prior and a concrete posterior."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(
        *choose(choice, CHOICES),
        name="DVAE",
        posterior=_vahdat.DIRECTED,
        relaxation={"name": "concrete", "beta": 10.0},
    )
