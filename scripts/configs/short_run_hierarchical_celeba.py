"""Short-run MCMC, independent latents (Nijkamp et al. 2020), CelebA, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config(
        "celeba",
        preset,
        name="ShortRun",
        num_steps=25,
        step_size=0.05 if preset == "paper" else 0.1,
        hierarchical=True,
    )
