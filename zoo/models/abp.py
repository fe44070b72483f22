"""Alternating back-propagation: a chain for every example, which goes on (Han et al. 2017)."""

import keras
import tensorflow as tf

import samplers
from zoo.core.checks import check_count
from zoo.core.registry import register
from zoo.core.trainable import written_rows
from zoo.models.short_run import ShortRun


@register(tiny={"latent_dims": (2, 2), "width": 16, "num_steps": 3})
class ABP(ShortRun):
    """`ShortRun` with persistent chains: every example's goes on where its last visit left it.

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
        self.num_examples, self.num_inference_steps = num_examples, num_inference_steps
        self.chains = self.add_weight(
            name="chains",
            shape=(num_examples, self.latent_dim),
            initializer="zeros",
            trainable=False,
        )
        self.chains.assign(self.prior.sample(num_examples, samplers.fold_in(self.seed, "chains")))

    @classmethod
    def for_data(cls, data, **kwargs):
        """As `ShortRun.for_data`; `num_examples` is that of the training data, unless given."""
        return super().for_data(data, **{"num_examples": data.num_examples["train"]} | kwargs)

    def sample_latents(self, batch, context, seed):
        start = tf.gather(tf.convert_to_tensor(self.chains), batch["index"])[None]
        return self.langevin(batch["x"], start, self.num_steps, seed), {}

    def state_statistics(self, batch, latents, diagnostics):
        searched = super().state_statistics(batch, latents, diagnostics)
        return searched | {"index": batch["index"], "latents": latents[0]}

    def next_state(self, statistics):
        chains = written_rows(self.chains, statistics["index"], statistics["latents"])
        return [*super().next_state(statistics), (self.chains, chains)]

    def get_config(self):
        return super().get_config() | {
            "num_examples": self.num_examples,
            "num_inference_steps": self.num_inference_steps,
        }
