"""DRAW whose generator learns from latents that Hamiltonian Monte Carlo refines."""

from zoo.runs.config import choose
from zoo.scripts.configs import _gregor

CHOICES = _gregor.CHOICES


def get_config(choice=""):
    return _gregor.config(*choose(choice, CHOICES), name="HMCDRAW", num_steps=5)
