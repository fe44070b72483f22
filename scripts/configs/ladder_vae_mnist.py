"""A ladder VAE (Sønderby et al. 2016) on MNIST, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config("mnist", preset, name="LadderVAE", warmup_steps=500, initial_stddev=0.135)
