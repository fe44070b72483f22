"""An HMC-DLGM (Hoffman 2017) on the embedded digits: the main job."""

from zoo.runs.config import digits_config


def get_config():
    return digits_config(name="HMCDLGM", num_steps=5)
