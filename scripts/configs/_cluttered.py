"""Classification of digits, also among clutter: the experiments of Gregor et al. (2015), table 1.

Digits on a canvas of 100 by 100 pixels are made of MNIST; of another copy of it with
--config.data.source=cluttered:npz:PATH. "paper" trains longer than "small".
"""

from collections.abc import Mapping

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

PRESETS = ("paper", "small")
CHOICES = {"digits": (), "cluttered_digits": (), "cluttered_mnist": PRESETS}
_SOURCES = {
    "digits": {"source": "digits"},
    "cluttered_digits": {
        **{"source": "cluttered:digits", "canvas": 12},
        **{"num_distractors": 2, "distractor_size": 3},
    },
    "cluttered_mnist": {
        **{"source": "cluttered:mnist", "canvas": 100, "data_dir": placeholder(str)},
        **{"num_distractors": 8, "distractor_size": 8},
    },
}


def config(data: str, preset: str, digits: Mapping, **model) -> ml_collections.ConfigDict:
    """The config of a run on "digits", "cluttered_digits" or "cluttered_mnist".

    Args:
      data: one of the above.
      preset: one of `PRESETS`; "" on digits.
      digits: sizes of the model on digits, which are of 8 by 8 pixels.
      **model: its name and arguments.
    """
    if data == "cluttered_mnist":
        made = base_config(
            data=_SOURCES[data] | {"batch_size": 100},
            model=model,
            epochs=200 if preset == "paper" else 10,
        )
        made.optimizer.global_clipnorm = 1.0  # without it windows that were found get lost again
        if preset == "paper":
            made.optimizer.final_learning_rate = 1e-5
        return made
    epochs = 50 if data == "digits" else 150
    source = _SOURCES[data] | {"batch_size": 50}
    made = base_config(data=source, model=model | dict(digits), epochs=epochs)
    made.validation_freq = made.save_freq = 10
    return made
