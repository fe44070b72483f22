"""Hamiltonian variational inference (Salimans, Kingma and Welling 2015), one transition."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="HVI", num_leapfrog_steps=4)
