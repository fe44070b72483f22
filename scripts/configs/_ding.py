"""The experiments of Ding and Freedman (2020): networks 784-200-200-50 of Burda et al. (2016).

The preset "paper" has their 3,280 epochs and 10,000 increments in evaluation, of which a single
model takes days without an accelerator; "small" has 25 epochs. On digits everything but the model
is as in `_hoffman`.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.core.choices import PROTOCOLS
from zoo.scripts.configs import _hoffman

CHOICES = _hoffman.CHOICES


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run.

    Args:
      data: one of `CHOICES`.
      preset: one of its presets; "" on digits.
      **model: its name and arguments.
    """
    if data == "digits":
        return _hoffman.config(data, preset, **model)
    networks = {
        "latent_dim": 50,
        "hidden": (200, 200),
        "upper_latent_dim": 0,  # of a second stochastic layer; Burda et al. have 100 and 50
        "activation": "tanh",
        "likelihood": "bernoulli",
    }
    made = _hoffman.config(data, "small")
    made.model = networks | model
    made.data.batch_size = 128
    made.optimizer.epsilon = 1e-4
    if preset == "paper":
        made.epochs = 3280
        made.optimizer.num_stages = 8
        made.optimizer.final_learning_rate = 1e-4
        made.evaluation.update(PROTOCOLS["paper"])
        made.evaluation.num_images = placeholder(int)  # all
    return made
