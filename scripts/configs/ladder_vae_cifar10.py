"""A ladder VAE (Sønderby et al. 2016) on CIFAR-10, or `:small`, `:dense`."""

from zoo.runs.config import nijkamp_config


def get_config(preset="paper"):
    return nijkamp_config(
        "cifar10", preset, name="LadderVAE", warmup_steps=500, initial_stddev=0.135
    )
