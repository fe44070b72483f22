"""The HMC-DLGM (Hoffman 2017): on digits, the main job."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    num_steps = 2 if data == "digits" else 5  # on digits more gain nothing
    return _hoffman.config(data, preset, name="HMCDLGM", num_steps=num_steps)
