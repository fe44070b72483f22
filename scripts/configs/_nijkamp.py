"""The experiments of Nijkamp et al. (2020): top-down generators with several layers of latents.

Networks, noise and optimizer are the same for all methods. The preset "paper" has their networks
(three layers of table 4) and 300,000 updates; "small" has few channels and some thousand updates;
"dense" is fully connected, and so are the networks on digits. CIFAR-10 is not in the paper. CelebA
is of 32 by 32 pixels; the paper's other size is `data.size` of 64.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

PRESETS = ("paper", "small", "dense")
CHOICES = {"digits": (), "mnist": PRESETS, "svhn": PRESETS, "cifar10": PRESETS, "celeba": PRESETS}

_SOURCES = {
    "mnist": {"source": "mnist"},
    "svhn": {"source": "svhn_cropped"},
    "cifar10": {"source": "cifar10"},
    "celeba": {"source": "celeb_a", "size": "32"},
}
_SIZES = {
    "": {"latent_dims": (8, 8, 8), "width": 64, "blocks": "dense"},
    "paper": {"latent_dims": (32, 64, 128), "width": 64, "blocks": "convolution"},
    "small": {"latent_dims": (8, 16, 16), "width": 8, "blocks": "convolution"},
    "dense": {"latent_dims": (8, 16, 16), "width": 128, "blocks": "dense"},
}
# All that `zoo.parts.StepSizeSearch` takes, at its defaults, so that flags can change each.
SEARCH = {
    "method": "fixed",
    "per_step": False,
    "interval": 100,
    "num_images": 20,
    "entropy": "conditional",
    "log_det": "exact",
    "num_chains": 1,
    "grid": [i / 100 for i in range(1, 16)],
    "learning_rate": 0.05,
    "clip": 100.0,
}
# 300,000 updates, to the next epoch, of what is left of TFDS's training splits.
_EPOCHS = {"mnist": 556, "svhn": 456, "cifar10": 667, "celeba": 205}


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a run.

    Args:
      data: one of `CHOICES`.
      preset: one of its presets; "" on digits.
      **model: its name and arguments.
    """
    likelihood = {"name": "gaussian", "scale": 0.15}
    if preset == "paper":
        likelihood |= {"annealed_from": 0.3, "annealing_steps": 50_000}
    networks = _SIZES[preset] | {"hierarchical": False, "likelihood": likelihood}
    source = {"source": "digits"}
    if data != "digits":
        source = _SOURCES[data] | {"data_dir": placeholder(str)}
    made = base_config(
        data={"batch_size": 100} | source,
        model=networks | model,
        epochs=167 if data == "digits" else 5,
    )
    made.evaluation.start = "prior"
    # Compiled loops of convolutions take 6 times as long on a CPU, and a run must be able to go on
    # on any machine: give --config.jit_compile=True where all of them have a GPU.
    made.jit_compile = networks["blocks"] != "convolution"
    if data != "digits":
        made.evaluation.num_images = 300
    if preset == "paper":
        made.epochs = _EPOCHS[data]
        made.optimizer = {"name": "Adam", "learning_rate": (1e-4, 5e-5, 1e-5)}
    return made


def short_run_config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a method with short Langevin chains, whose step size need not be learned.

    Args:
      data: as `config`.
      preset: as `config`.
      **model: its name and arguments.
    """
    chains = {
        "step_size_search": dict(SEARCH),
        "centred": False,
        "step_size": {"": 0.15, "paper": 0.05}.get(preset, 0.1),
    }
    return config(data, preset, **chains | model)
