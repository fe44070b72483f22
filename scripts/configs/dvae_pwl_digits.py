"""A discrete VAE with an RBM prior, a directed piecewise linear posterior, on the digits."""

from zoo.runs.config import vahdat_config


def get_config():
    return vahdat_config(
        "digits",
        name="DVAE",
        num_groups=1,
    )
