"""DVAE## (Vahdat et al. 2020): RBMs as prior and as posteriors, on the digits."""

from zoo.runs.config import vahdat_config


def get_config():
    return vahdat_config(
        "digits",
        name="UndirectedDVAE",
        num_posterior_sweeps=10,
        num_relaxed_sweeps=1,
        num_increments=100,
    )
