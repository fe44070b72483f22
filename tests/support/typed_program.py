"""What a user writes with the zoo, for a type checker; nothing runs it."""

from typing import assert_type

import numpy as np
import tensorflow as tf

import samplers
import zoo


def use() -> None:
    data = zoo.data.load("digits")
    model = zoo.VAE.for_data(data, latent_dim=4)
    assert_type(model, zoo.VAE)
    assert_type(model.sample(3, seed=0), dict[str, np.ndarray])
    assert_type(zoo.preset_names(), list[str])
    assert_type(zoo.export(model, "export", format="onnx"), dict[str, str])
    assert_type(zoo.__version__, str)
    assert_type(samplers.hmc(tf.math.log, tf.zeros([3]), num_steps=1, step_size=0.1,
                             num_leapfrog_steps=1, seed=0), samplers.HMCResult)  # fmt: skip


def refuse() -> None:
    """Each line is a mistake, and an unused "ignore" is one, too."""
    zoo.export(zoo.VAE, "export", format=3)  # type: ignore[arg-type]
    zoo.preset_names("digits")  # type: ignore[call-arg]
    zoo.Missing  # type: ignore[attr-defined]  # noqa: B018
