"""IWAE with the doubly reparameterised gradient (Tucker et al. 2019) on Omniglot, or `:small`."""

from zoo.runs.config import ding_config


def get_config(preset="paper"):
    return ding_config("omniglot", preset, name="IWAE", num_samples=5, gradient="dreg")
