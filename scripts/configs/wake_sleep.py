"""The networks of a VAE by wake-sleep (Hinton et al. 1995)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="WakeSleep")
