"""A mean-field VAE on CIFAR-10, in bits per dimension; `vae_cifar10:small` is smaller."""

from zoo.runs.config import cifar10_config


def get_config(preset="paper"):
    return cifar10_config(preset, name="VAE")
