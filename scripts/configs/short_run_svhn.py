"""Short-run MCMC (Nijkamp et al. 2020) on SVHN, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config(
        "svhn", preset, name="ShortRun", num_steps=25, step_size=0.05 if preset == "paper" else 0.1
    )
