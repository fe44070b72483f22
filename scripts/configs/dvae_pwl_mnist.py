"""A discrete VAE with an RBM prior, a directed piecewise linear posterior, on MNIST."""

from zoo.runs.config import vahdat_config


def get_config(preset: str = "paper"):
    return vahdat_config(
        "mnist",
        preset,
        name="DVAE",
        num_groups=1,
    )
