"""Runs as figures ask for them, `zoo.analysis.Run`, without a work directory."""

import dataclasses

import keras
import ml_collections
import numpy as np

import zoo
from zoo.data import Data


@dataclasses.dataclass
class FakeRun:
    label: str
    model: keras.Model | None = None
    data: Data | None = None
    config: ml_collections.ConfigDict | None = None
    evaluation: tuple[dict, np.ndarray] | None = None

    @property
    def workdir(self):
        return f"runs/{self.label}"


def scored_run(label, num_images=2, seed=0, protocol="16 chains", source="digits", **others):
    """A run of a config with these arguments of its model, and figures where they are numbers."""
    figures = {k: v for k, v in others.items() if isinstance(v, float)}
    arguments = {k: v for k, v in others.items() if k not in figures}
    config = {"data": {"source": source, "batch_size": len(label)}, "model": arguments}
    figures |= {"num_images": num_images, "seed": seed, "protocol": protocol}
    per_image = np.zeros(num_images) + figures.get("log_likelihood", 0.0)
    return FakeRun(label, config=ml_collections.ConfigDict(config), evaluation=(figures, per_image))


def image_run(label, num_latents=2):
    """Of a VAE of images of 4 by 3 pixels: their logits are the latents, padded with zeros."""
    layers = keras.layers
    identity = layers.Dense(12, kernel_initializer=keras.initializers.Identity())
    decoder = [keras.Input((num_latents,)), identity, layers.Reshape((4, 3, 1))]
    encoder = [keras.Input((4, 3, 1)), layers.Flatten(), layers.Dense(2 * num_latents)]
    model = zoo.VAE(*map(keras.Sequential, (encoder, decoder)))
    model.compile(jit_compile=False)
    return FakeRun(label, model)
