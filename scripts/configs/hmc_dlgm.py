"""The HMC-DLGM (Hoffman 2017): on digits, the main job."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="HMCDLGM", num_steps=5)
