"""Recurrent neural networks without latents, the baselines of the VRNN."""

from collections.abc import Sequence
from typing import Self

import keras

from zoo.core.registry import register
from zoo.models.recurrent import RecurrentModel
from zoo.models.vrnn import CHUNG_2015
from zoo.parts.emission import Emission


@register(
    tiny={"units": 12, "hidden": (12,)},
    data="digit_rows",
    paper=CHUNG_2015,
)
class RNN(RecurrentModel):
    """Recurrent network without latents: x_t ~ p(x_t given h_{t-1}), h_t = f(x_t, h_{t-1}).

    Its bound is log p(x), and all its weights are p(x). With one component of a Gaussian it is the
    RNN-Gauss, with several the RNN-GMM of Chung et al. (2015, section 4).

    Args:
      cell: as the base.
      x_features: as the base.
      decoder: as the base.
      **kwargs: `emission`, `max_length`, `truncation`, `seed` and `dtype`, as the base.
    """

    def __init__(
        self, cell: keras.layers.Layer, x_features: keras.Model, decoder: keras.Model, **kwargs
    ):
        super().__init__(cell, x_features, decoder, **kwargs)
        self.connect()

    @classmethod
    def for_data(
        cls,
        data,
        *,
        units: int = 128,
        hidden: Sequence[int] = (128,),
        activation: str = "relu",
        cell: str | keras.layers.Layer = "lstm",
        emission: str | dict | Emission | None = None,
        dtype: str | None = None,
        seed: int = 0,
        **kwargs,
    ) -> Self:
        """Makes the model with networks for `data`; arguments are those of `VRNN.for_data`.

        Returns:
          The model.

        Raises:
          UsageError: as the constructor, or for a value out of its range.
        """
        parts = cls.parts_for(
            data,
            units=units,
            hidden=hidden,
            activation=activation,
            cell=cell,
            emission=emission,
            dtype=dtype,
            seed=seed,
        )
        return cls(**parts, seed=seed, dtype=dtype, **kwargs)
