"""M2 (Kingma et al. 2014): a class and a style make an image; few labels tell the class."""

from zoo.runs.config import choose
from zoo.scripts.configs import _kingma

CHOICES = _kingma.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    return _kingma.config(
        data, preset, name="M2", **_kingma.sizes(preset, **_kingma.classification_weight(preset))
    )
