"""Short-run MCMC, independent latents (Nijkamp et al. 2020), the embedded digits."""

from zoo.runs.config import nijkamp_config


def get_config():
    return nijkamp_config(
        "digits", name="ShortRun", num_steps=25, step_size=0.15, hierarchical=True
    )
