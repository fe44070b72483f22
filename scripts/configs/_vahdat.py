"""The experiments of Vahdat et al. (2020): binary latents, most of them with an RBM prior.

Networks, particles, warm-up and optimizer are the same for all posteriors. Digits have 8 + 8
latents, where log Z can be enumerated; the preset "paper" has 100 + 100 and a million updates,
"small" ten thousand.
"""

import ml_collections
from ml_collections.config_dict import placeholder

from zoo.runs.config import base_config

CHOICES = {"digits": (), "mnist": ("paper", "small")}
DIRECTED = {"name": "directed", "num_groups": 1}
UNDIRECTED = {
    "name": "undirected",
    "num_posterior_sweeps": 10,
    "num_relaxed_sweeps": 1,
    "num_increments": 100,
}

_NUM_BATCHES = {"digits": 12, "mnist": 540}  # of 100 images, in an epoch


def config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a discrete VAE.

    Args:
      data: one of `CHOICES`.
      preset: one of its presets; "" on digits.
      **model: its name and arguments.
    """
    if data == "digits":
        source = {"source": "digits"}
        networks, epochs = {"latent_dims": (8, 8), "hidden": (100, 100)}, 500
        optimizer = {"name": "Adam", "learning_rate": 3e-3, "final_learning_rate": 3e-4}
    else:
        source = {"source": "mnist", "data_dir": placeholder(str)}
        num_updates = 1_000_000 if preset == "paper" else 10_000
        networks = {"latent_dims": (100, 100), "hidden": (200, 200)}
        epochs = num_updates // _NUM_BATCHES["mnist"]
        optimizer = {
            "name": "Adam",
            "learning_rate": (3e-4, 3e-3, 1e-3, 3e-4, 1e-4),
            "boundaries": (0.02, 0.6, 0.75, 0.95),
            "epsilon": 1e-3,
        }
    networks |= {
        "layer_normalisation": True,
        "relaxation": {"name": "piecewise_linear", "beta": 4.0},
        "prior": {"name": "rbm"},
        "kl": "bits",
        "num_samples": 1,
        "warmup_steps": 3 * epochs * _NUM_BATCHES[data] // 10,
        "num_particles": 1000,
        "num_sweeps": 40,
        "particles": "population",
    }
    made = base_config(
        data={"batch_size": 100} | source,
        model={"likelihood": "bernoulli"} | networks | model,
        epochs=epochs,
    )
    made.optimizer = optimizer
    made.evaluation.num_importance_samples = 4000
    if preset == "small":
        made.evaluation.num_images = 1000
    return made


def structured_config(data: str, preset: str, **model) -> ml_collections.ConfigDict:
    """The config of a model of the bottom half of an image given the top one (section 4.3).

    Args:
      data: as `config`.
      preset: as `config`.
      **model: its name and arguments.
    """
    made = config(data, preset)
    if data == "digits":
        made.epochs = 200
    made.optimizer = {"name": "Adam", "learning_rate": 3e-3 if data == "digits" else 3e-4}
    shared = ("latent_dims", "layer_normalisation", "likelihood", "relaxation", "num_samples")
    networks = {name: made.model[name] for name in shared} | {
        "hidden": made.model.hidden[:1],
        "mask": "bottom",
        "entropy_weight": 0.05,
        "entropy_steps": made.epochs * _NUM_BATCHES[data] // 2,
    }
    made.model = ml_collections.ConfigDict(networks | model)
    return made
