"""A mean-field VAE on MNIST, the baseline of the HMC-DLGM; `vae_mnist:small` is smaller."""

from zoo.runs.config import mnist_config


def get_config(preset="paper"):
    return mnist_config(preset, name="VAE")
