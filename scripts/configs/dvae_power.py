"""DVAE# (Vahdat et al. 2018): an RBM prior and a posterior of power functions."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    relaxation = {"name": "power", "beta": 30.0}
    return _vahdat.config(
        *choose(choice, CHOICES), name="DVAE", num_groups=1, relaxation=relaxation
    )
