"""Structured prediction with a directed q (Vahdat et al. 2020) on MNIST, or `:small`."""

from zoo.runs.config import structured_config


def get_config(preset="paper"):
    return structured_config("mnist", preset, name="StructuredPrediction", num_groups=1)
