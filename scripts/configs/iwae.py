"""The importance-weighted autoencoder (Burda et al. 2016)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _ding

CHOICES = _ding.CHOICES


def get_config(choice=""):
    return _ding.config(*choose(choice, CHOICES), name="IWAE", num_samples=5, gradient="plain")
