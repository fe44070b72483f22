"""M2 whose decoder learns from styles that HMC refines."""

from zoo.runs.config import choose
from zoo.scripts.configs import _kingma

CHOICES = _kingma.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    return _kingma.config(
        data,
        preset,
        name="HMCM2",
        num_steps=2,
        **_kingma.sizes(preset, **_kingma.classification_weight(preset)),
    )
