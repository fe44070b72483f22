"""The importance-weighted autoencoder (Burda et al. 2016) on the digits."""

from zoo.runs.config import digits_config


def get_config():
    return digits_config(name="IWAE", num_samples=5, gradient="plain")
