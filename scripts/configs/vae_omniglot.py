"""A mean-field VAE on Omniglot, the baseline of the HMC-DLGM; `vae_omniglot:small` is smaller."""

from zoo.runs.config import omniglot_config


def get_config(preset="paper"):
    return omniglot_config(preset, name="VAE")
