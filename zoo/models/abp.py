"""Alternating back-propagation: a chain for every example, which goes on (Han et al. 2017)."""

from typing import Self

import keras

import samplers
from zoo.core.checks import check_count
from zoo.core.registry import Paper, register
from zoo.data import as_data
from zoo.models.short_run import ShortRun
from zoo.parts.persistent_chains import PersistentChains, num_examples_of


@register(
    tiny={"latent_dims": (2, 2), "width": 16, "num_steps": 3},
    paper=Paper(
        authors=("Han, Tian", "Lu, Yang", "Zhu, Song-Chun", "Wu, Ying Nian"),
        title="Alternating Back-Propagation for Generator Network",
        year=2017,
        venue="Proceedings of the Thirty-First AAAI Conference on Artificial Intelligence",
    ),
)
class ABP(ShortRun):
    """Alternating back-propagation: `ShortRun` with a chain for every example, which goes on.

    Chains are kept by the example's number, `index`, start at p(z), and are saved with the model.
    New images have none: their latents are inferred by a fresh chain of more steps.

    Args:
      decoder: as `ShortRun`.
      num_examples: of the training data.
      num_steps: K, of each visit.
      num_inference_steps: of the fresh chains.
      **kwargs: as `ShortRun`.
    """

    def __init__(
        self,
        decoder: keras.Model,
        *,
        num_examples: int,
        num_steps: int = 40,
        num_inference_steps: int = 200,
        **kwargs,
    ):
        super().__init__(decoder, num_steps=num_steps, **kwargs)
        check_count(num_examples=num_examples, num_inference_steps=num_inference_steps)
        self.num_inference_steps = num_inference_steps
        start = self.prior.sample(num_examples, samplers.fold_in(self.seed, "chains"))
        self.chains = PersistentChains(start, name="chains", dtype=self.dtype)

    @property
    def fields(self):
        return super().fields | {"index": self.chains.field}

    @classmethod
    def for_data(cls, data, **kwargs) -> Self:
        """Makes the model of `ShortRun.for_data`, whose chains are for the training data.

        Args:
          data: what `zoo.data.load` returns, or else `zoo.data.as_data` takes.
          **kwargs: as `ShortRun.for_data` and the constructor; `num_examples` is that of `data`,
            unless given.

        Returns:
          The model.
        """
        data = as_data(data)
        kwargs["num_examples"] = num_examples_of(data, kwargs.get("num_examples"))
        return super().for_data(data, **kwargs)

    def sample_latents(self, batch, context, seed):
        start = self.chains.at(batch["index"])[None]
        return self.langevin(batch, start, self.num_steps, seed), {}

    def state_statistics(self, batch, latents, diagnostics):
        searched = super().state_statistics(batch, latents, diagnostics)
        return searched | {"index": batch["index"], "latents": latents[0]}

    def next_state(self, statistics):
        chains = self.chains.next_state(statistics["index"], statistics["latents"])
        return super().next_state(statistics) + chains

    def get_config(self):
        return super().get_config() | {
            "num_examples": self.chains.states.shape[0],
            "num_inference_steps": self.num_inference_steps,
        }
