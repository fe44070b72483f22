"""MH-HMC, chains of equal weight (Ding and Freedman 2020, their T = 5) on the digits."""

from zoo.runs.config import digits_config


def get_config():
    return digits_config(
        name="MHHMC", num_samples=5, num_increments=4, num_leapfrog_steps=5, last_move=True
    )
