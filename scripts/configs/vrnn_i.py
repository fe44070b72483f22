"""VRNN-I (Chung et al. 2015): the VRNN whose latents are independent of what came before."""

from zoo.runs.config import choose
from zoo.scripts.configs import _chung

CHOICES = _chung.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    latents = {"latent_dim": _chung.LATENTS[data], "conditional_prior": False}
    return _chung.config(data, preset, name="VRNN", **latents)
