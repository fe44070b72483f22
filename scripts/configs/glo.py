"""Generative latent optimisation (Bojanowski et al. 2018)."""

from zoo.runs.config import choose
from zoo.scripts.configs import _nijkamp

CHOICES = _nijkamp.CHOICES


def get_config(choice=""):
    data, preset = choose(choice, CHOICES)
    latents = {
        "latent_dim": 24 if data == "digits" else 128 if preset == "paper" else 40,
        "loss": "l2",
        "level_weights": [1.0, 1.0, 1.0],
        "radius": 1.0,
        "latent_learning_rate": 0.2,
        "num_inference_steps": 200,
        "num_pca": 24_576 if preset == "paper" else 5000,
    }
    config = _nijkamp.config(data, preset, name="GLO", **latents)
    # It has one layer of latents, and no noise.
    for key in ("latent_dims", "hierarchical", "likelihood"):
        del config.model[key]
    return config
