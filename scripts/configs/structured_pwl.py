"""Structured prediction with a directed q (Vahdat et al. 2020)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _vahdat

CHOICES = _vahdat.CHOICES


def get_config(choice=""):
    return _vahdat.structured_config(
        *choose(choice, CHOICES), name="StructuredPrediction", posterior=_vahdat.DIRECTED
    )
