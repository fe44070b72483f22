"""The mean-field variational autoencoder, the baseline of the HMC-DLGM."""

from zoo.runs.config import choose
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES | {"cifar10": _hoffman.PRESETS}


def get_config(choice=""):
    return _hoffman.config(*choose(choice, CHOICES), name="VAE")
