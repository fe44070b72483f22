"""GumBolt (Khoshaman and Amin 2018): an RBM prior and a concrete posterior."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    relaxation = {"name": "concrete", "beta": 10.0}
    return _vahdat.config(
        *choose(choice, CHOICES), name="DVAE", num_groups=1, relaxation=relaxation
    )
