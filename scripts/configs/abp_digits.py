"""Alternating back-propagation (Han et al. 2017) on the embedded digits."""

from zoo.runs.config import nijkamp_config


def get_config():
    return nijkamp_config("digits", name="ABP", latent_dims=(24,), num_steps=25, step_size=0.15)
