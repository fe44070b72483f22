"""DVAE# (Vahdat et al. 2018): an RBM prior, a posterior of power functions, on MNIST."""

from zoo.runs.config import vahdat_config


def get_config(preset: str = "paper"):
    return vahdat_config(
        "mnist",
        preset,
        name="DVAE",
        num_groups=1,
        relaxation={"name": "power", "beta": 30.0},
    )
