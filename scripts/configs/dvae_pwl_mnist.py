"""A discrete VAE with an RBM prior and a directed, piecewise linear posterior, on MNIST, or `:small`."""

from zoo.configs import vahdat_config


def get_config(preset: str = "paper"):
    return vahdat_config(
        "mnist",
        preset,
        name="DVAE",
        num_groups=1,
    )
