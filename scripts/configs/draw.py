"""DRAW with attention (Gregor et al. 2015)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _gregor

CHOICES = _gregor.CHOICES


def get_config(choice=""):
    return _gregor.config(*choose(choice, CHOICES), name="DRAW")
