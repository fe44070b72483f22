"""DVAE## (Vahdat et al. 2020): RBMs as prior and as posteriors."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(*choose(choice, CHOICES), name="DVAE", posterior=_vahdat.UNDIRECTED)
