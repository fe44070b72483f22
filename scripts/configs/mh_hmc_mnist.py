"""MH-HMC, chains of equal weight (Ding and Freedman 2020, their T = 5) on MNIST, or `:small`."""

from zoo.runs.config import ding_config


def get_config(preset="paper"):
    return ding_config(
        "mnist",
        preset,
        name="MHHMC",
        num_samples=5,
        num_increments=4,
        num_leapfrog_steps=5,
        last_move=True,
    )
