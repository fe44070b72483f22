"""GumBolt (Khoshaman and Amin 2018): an RBM prior, a concrete posterior, on MNIST, or `:small`."""

from zoo.runs.config import vahdat_config


def get_config(preset: str = "paper"):
    return vahdat_config(
        "mnist",
        preset,
        name="DVAE",
        num_groups=1,
        relaxation={"name": "concrete", "beta": 10.0},
    )
