"""DVAE++ (Vahdat et al. 2018b): an RBM prior and a hierarchical posterior that overlaps."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(
        *choose(choice, CHOICES),
        name="DVAE",
        posterior={"name": "directed", "num_groups": 2},
        relaxation={"name": "exponential", "beta": 10.0},
    )
