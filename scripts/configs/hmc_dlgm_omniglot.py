"""An HMC-DLGM (Hoffman 2017) on Omniglot; `hmc_dlgm_omniglot:small` is smaller."""

from zoo.runs.config import omniglot_config


def get_config(preset="paper"):
    return omniglot_config(preset, name="HMCDLGM", num_steps=5)
