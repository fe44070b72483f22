"""The ladder VAE (Sønderby et al. 2016)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _nijkamp

CHOICES = _nijkamp.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    return _nijkamp.config(
        data,
        preset,
        name="LadderVAE",
        warmup_steps=200 if data == "digits" else 500,
        initial_stddev=0.135,
    )
