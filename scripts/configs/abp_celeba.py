"""Alternating back-propagation (Han et al. 2017) on CelebA, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config(
        "celeba",
        preset,
        name="ABP",
        latent_dims=(128,),
        num_steps=40,
        step_size=0.05 if preset == "paper" else 0.1,
    )
