"""The experiments of Kingma et al. (2014): few labels, equally many of each class.

Labels are drawn by the seed of the run. Everything but the model is the same for all methods. The
preset "paper" has sizes of the authors' public code; "small" takes minutes.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

PRESETS = ("paper", "small")
CHOICES = {"digits": (), "mnist": PRESETS}

_SIZES = {
    "": {"latent_dim": 16, "hidden": (200, 200)},
    "small": {"latent_dim": 32, "hidden": (200,)},
    "paper": {"latent_dim": 50, "hidden": (500, 500)},
}


def sizes(preset: str, **changed) -> dict:
    """What VAE and M2 take of a preset, some of it changed."""
    return {"likelihood": "bernoulli"} | _SIZES[preset] | changed


def classification_weight(preset: str) -> dict:
    """That of the paper, or one that few updates need, where classes must follow labels early."""
    return {"classification_weight": 0.1 if preset == "paper" else 1.0}


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run on "digits" or "mnist".

    Args:
      data: one of these.
      preset: one of `PRESETS`; "" on digits.
      **model: its name and arguments.
    """
    if data == "digits":
        made = base_config(
            data={"source": "digits", "batch_size": 50, "num_labels": 100},
            model=model,
            epochs=400,
        )
        made.validation_freq = made.save_freq = 10  # an epoch takes a fraction of a second
    else:
        source = {"source": "mnist", "data_dir": placeholder(str)}
        made = base_config(
            data=source | {"batch_size": 200 if preset == "paper" else 100, "num_labels": 100},
            model=model,
            epochs=3000 if preset == "paper" else 13,
        )
        made.optimizer.learning_rate = 3e-4 if preset == "paper" else 1e-3
        made.evaluation.num_images = 300
    made.evaluation.num_importance_samples = 1000
    return made
