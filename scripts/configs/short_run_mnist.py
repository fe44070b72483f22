"""Short-run MCMC (Nijkamp et al. 2020) on MNIST, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config(
        "mnist", preset, name="ShortRun", num_steps=25, step_size=0.05 if preset == "paper" else 0.1
    )
