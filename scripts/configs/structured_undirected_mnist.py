"""Structured prediction with an RBM as q (Vahdat et al. 2020) on MNIST, or `:small`."""

from zoo.runs.config import structured_config


def get_config(preset="paper"):
    return structured_config(
        "mnist", preset, name="UndirectedStructuredPrediction", num_posterior_sweeps=10
    )
