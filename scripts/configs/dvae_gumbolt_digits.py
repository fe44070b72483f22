"""GumBolt (Khoshaman and Amin 2018): an RBM prior, a concrete posterior, on the digits."""

from zoo.runs.config import vahdat_config


def get_config():
    return vahdat_config(
        "digits",
        name="DVAE",
        num_groups=1,
        relaxation={"name": "concrete", "beta": 10.0},
    )
