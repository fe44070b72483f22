"""Images that are drawn in glimpses: the experiments of Gregor et al. (2015) on MNIST.

The preset "paper" has the sizes of its table of MNIST with attention; "small" takes minutes.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

PRESETS = ("paper", "small")
CHOICES = {"digits": (), "mnist": PRESETS}
_SIZES = {
    "paper": {
        **{"latent_dim": 100, "num_glimpses": 64, "units": 256},
        **{"read_size": 2, "write_size": 5},
    },
    "small": {
        **{"latent_dim": 10, "num_glimpses": 10, "units": 128},
        **{"read_size": 5, "write_size": 5},
    },
}


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run on "digits" or "mnist".

    Args:
      data: one of the above.
      preset: one of `PRESETS`; "" on digits.
      **model: its name and arguments.
    """
    if data == "digits":
        sizes = {"latent_dim": 4, "num_glimpses": 8, "units": 64, "read_size": 5, "write_size": 5}
        made = base_config(
            data={"source": "digits", "batch_size": 50}, model=sizes | model, epochs=200
        )
        made.optimizer.learning_rate = 3e-3
        made.validation_freq = made.save_freq = 10
        # A gradient takes ten times as long as that of a VAE, and three times longer where it is
        # that of the posterior, too.
        made.evaluation.num_images, made.evaluation.num_simulated = 100, 10
        made.evaluation.num_chains = 4
        made.evaluation.start = "prior"
        return made
    made = base_config(
        data={"source": "mnist", "batch_size": 100, "data_dir": placeholder(str)},
        model=_SIZES[preset] | model,
        epochs=25 if preset == "small" else 250,
    )
    made.evaluation.num_images, made.evaluation.start = 300, "prior"
    if preset == "paper":
        made.optimizer.learning_rate = 3e-4
    return made
