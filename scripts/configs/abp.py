"""Alternating back-propagation (Han et al. 2017)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _nijkamp

CHOICES = _nijkamp.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    chains = {"latent_dims": (128,), "num_steps": 40}
    if data == "digits":
        chains = {"latent_dims": (24,), "num_steps": 25}
    return _nijkamp.short_run_config(data, preset, name="ABP", **chains)
