"""The importance-weighted autoencoder (Burda et al. 2016) on MNIST, or `:small`."""

from zoo.runs.config import ding_config


def get_config(preset="paper"):
    return ding_config("mnist", preset, name="IWAE", num_samples=5, gradient="plain")
