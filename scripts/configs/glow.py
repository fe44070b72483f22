"""Glow (Kingma and Dhariwal 2018), of the sizes that Nijkamp et al. (2020) compare with."""

from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config, choose

PRESETS = ("paper", "small")
CHOICES = {"digits": (), "mnist": PRESETS, "cifar10": PRESETS, "svhn": PRESETS}
_SOURCES = {"mnist": "mnist", "cifar10": "cifar10", "svhn": "svhn_cropped"}
_SIZES = {
    "paper": {"depth": 16, "width": 512, "coupling": "additive"},
    "small": {"depth": 4, "width": 32, "coupling": "affine"},
}


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    if data == "digits":
        made = base_config(
            data={"source": "digits", "batch_size": 50},
            model={"name": "Glow", "num_scales": 2, "depth": 4, "width": 32},
            epochs=200,
        )
        made.validation_freq = made.save_freq = 10
    else:
        num_scales = 2 if data == "mnist" else 3  # 28 pixels are halved twice
        made = base_config(
            data={"source": _SOURCES[data], "batch_size": 64, "data_dir": placeholder(str)},
            model={"name": "Glow", "num_scales": num_scales} | _SIZES[preset],
            epochs=250 if preset == "paper" else 10,
        )
        if preset == "paper":
            made.optimizer.name = "Adamax"
        else:
            made.evaluation.num_images = 1000
    made.evaluation.num_importance_samples = 20
    made.jit_compile = False  # XLA's convolutions take longer on a CPU
    return made
