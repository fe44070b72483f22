"""IWAE with the doubly reparameterised gradient (Tucker et al. 2019) on the digits."""

from zoo.runs.config import digits_config


def get_config():
    return digits_config(name="IWAE", num_samples=5, gradient="dreg")
