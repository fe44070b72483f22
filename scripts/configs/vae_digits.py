"""A mean-field VAE on the embedded digits: the baseline of the HMC-DLGM."""

from zoo.runs.config import digits_config


def get_config():
    return digits_config(name="VAE")
