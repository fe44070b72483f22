"""A discrete VAE with an RBM prior and a directed, piecewise linear posterior."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.config(*choose(choice, CHOICES), name="DVAE", posterior=_vahdat.DIRECTED)
