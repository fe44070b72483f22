"""VRNN (Chung et al. 2015): latents of each step of a sequence, whose prior the state gives."""

from zoo.runs.config import choose
from zoo.scripts.configs import _chung

CHOICES = _chung.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    return _chung.config(data, preset, name="VRNN", latent_dim=_chung.LATENTS[data])
