"""M1+M2 (Kingma et al. 2014): M2 of the features of M1, which is trained along.

With --config.model.features=runs/m1 it is M2 of those of a trained run.
"""

from zoo.runs.config import choose
from zoo.scripts.configs import _kingma

CHOICES = _kingma.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    features = _kingma.sizes(preset)
    sizes = {"latent_dim": features["latent_dim"], "hidden": features["hidden"][:1]}
    sizes |= _kingma.classification_weight(preset)
    config = _kingma.config(data, preset, name="M1M2", **sizes, features=features)
    config.evaluation.start = "prior"
    return config
