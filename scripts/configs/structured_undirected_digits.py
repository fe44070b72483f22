"""Structured prediction with an RBM as q (Vahdat et al. 2020) on the embedded digits."""

from zoo.runs.config import structured_config


def get_config():
    return structured_config(
        "digits", name="UndirectedStructuredPrediction", num_posterior_sweeps=10
    )
