"""M1 (Kingma et al. 2014): a VAE, and a classifier of the latents that it infers."""

from zoo.runs.config import choose
from zoo.scripts.configs import _kingma

CHOICES = _kingma.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    return _kingma.config(data, preset, name="M1", **_kingma.sizes(preset))
