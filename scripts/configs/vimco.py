"""VIMCO (Mnih and Rezende 2016): hard bits with an RBM prior, each sample controlled by others."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    made = _vahdat.config(
        *choose(choice, CHOICES), name="VIMCO", posterior=_vahdat.DIRECTED, num_samples=5
    )
    del made.model.relaxation, made.model.kl
    return made
