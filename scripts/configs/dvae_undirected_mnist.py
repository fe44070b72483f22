"""DVAE## (Vahdat et al. 2020): RBMs as prior and as posteriors, on MNIST, or `:small`."""

from zoo.runs.config import vahdat_config


def get_config(preset: str = "paper"):
    return vahdat_config(
        "mnist",
        preset,
        name="UndirectedDVAE",
        num_posterior_sweeps=10,
        num_relaxed_sweeps=1,
        num_increments=100,
    )
