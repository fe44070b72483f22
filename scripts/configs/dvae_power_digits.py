"""DVAE# (Vahdat et al. 2018): an RBM prior, a posterior of power functions, on the digits."""

from zoo.runs.config import vahdat_config


def get_config():
    return vahdat_config(
        "digits",
        name="DVAE",
        num_groups=1,
        relaxation={"name": "power", "beta": 30.0},
    )
