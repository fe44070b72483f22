"""A ladder VAE (Sønderby et al. 2016) on the embedded digits."""

from zoo.runs.config import nijkamp_config


def get_config():
    return nijkamp_config("digits", name="LadderVAE", warmup_steps=200, initial_stddev=0.135)
