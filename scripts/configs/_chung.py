"""Sequences: the experiments of Chung et al. (2015), on data that anybody can have.

Their speech and handwriting are licensed. In their place are pen strokes and spoken words of one's
own, `--config.data.source=strokes:PATH` and `audio:DIR`, and rows of pixels. Emissions are of one
Gaussian, "gauss", or of a mixture of 20, "gmm". Sizes are for two cores; the paper's are in the
comments. Everything but the model is the same for all methods.
"""

import ml_collections

from zoo.runs.config import base_config

PRESETS = ("gauss", "gmm")
CHOICES = {"digits": (), "strokes": PRESETS, "audio": PRESETS}

_EMISSIONS = {
    "digits": "bernoulli",
    "strokes": {"name": "pen_strokes"},
    "audio": {"name": "gaussian"},
}
_DATA = {
    "digits": {"source": "digit_rows", "batch_size": 50},
    "strokes": {"source": "strokes:strokes.npz", "batch_size": 50, "max_length": 100},
    "audio": {"source": "audio:wavs", "batch_size": 50, "max_length": 40},  # frames of 200 samples
}
_EPOCHS = {"digits": 100, "strokes": 20, "audio": 60}
LATENTS = {"digits": 4, "strokes": 16, "audio": 32}  # 50 for strokes, 200 for speech


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run on "digits", "strokes" or "audio".

    Args:
      data: one of these.
      preset: one of `PRESETS`; "" on digits.
      **model: its name and arguments.
    """
    emission = _EMISSIONS[data]
    if preset:
        emission = emission | {"num_components": 20 if preset == "gmm" else 1}
    sizes = {"units": 64, "hidden": (64,)}  # 1200 and 150 to 250 for strokes; 4000 and 600 by 4
    made = base_config(
        data=_DATA[data],
        model={"emission": emission} | sizes | model,
        epochs=_EPOCHS[data],
    )
    if data == "digits":
        made.validation_freq = made.save_freq = 10  # an epoch takes a second
    made.optimizer.clipnorm = 5.0
    made.evaluation.num_importance_samples = 40
    return made
