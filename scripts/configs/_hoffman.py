"""Fully connected networks and one layer of latents: the experiments near those of Hoffman (2017).

His sizes are not known; those of the preset "paper" are near those of the papers that compare with
him. "small" takes minutes. Everything but the model is the same for all methods, so that
comparisons are fair.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

PRESETS = ("paper", "small")
CHOICES = {"digits": (), "mnist": PRESETS, "omniglot": PRESETS}

_SOURCES = {
    "mnist": {"source": "mnist"},
    # Bright ink. TFDS tests on other alphabets than it trains on, so that values are not those of
    # Burda et al. (2016), who split the images of all alphabets at random.
    # The size is a text, in whose place "28x32" can stand.
    "omniglot": {"source": "omniglot", "size": "28", "grey": True, "invert": True},
    "cifar10": {"source": "cifar10"},
}
LIKELIHOOD = {"likelihood": "bernoulli"}
_SIZES = {
    "paper": {"latent_dim": 64, "hidden": (500, 500)},
    "small": {"latent_dim": 32, "hidden": (200, 200)},
}


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run on "digits", "mnist", "omniglot" or "cifar10".

    On CIFAR-10 pixels are discretised logistic, so that scores are in bits per dimension, too.

    Args:
      data: one of the above.
      preset: one of `PRESETS`; "" on digits.
      **model: its name and arguments.
    """
    if data == "digits":
        made = base_config(
            data={"source": "digits", "batch_size": 50},
            model=LIKELIHOOD | {"latent_dim": 16, "hidden": (200, 200)} | model,
            epochs=400,
        )
        made.validation_freq = made.save_freq = 10  # an epoch takes a tenth of a second
        return made
    if data == "cifar10":
        logistic = {"name": "discretised_logistic", "scale": 0.1, "learn_scale": True}
        model = {"likelihood": logistic} | model
    made = base_config(
        data={"batch_size": 250, "data_dir": placeholder(str)} | _SOURCES[data],
        model=LIKELIHOOD | _SIZES[preset] | model,
        epochs=25 if preset == "small" else 500,
    )
    made.evaluation.num_images = 300
    if preset == "paper":
        made.optimizer.final_learning_rate = 1e-4
    return made
