"""An HMC-DLGM (Hoffman 2017) on MNIST; `hmc_dlgm_mnist:small` is smaller."""

from zoo.runs.config import mnist_config


def get_config(preset="paper"):
    return mnist_config(preset, name="HMCDLGM", num_steps=5)
