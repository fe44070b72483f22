"""Emissions by name, and that of binary pixels."""

import keras
import numpy as np
import tensorflow as tf

from zoo.core.sequences import RowsField, SequenceField, StrokesField
from zoo.parts.emission import Emission, uniform_by_step
from zoo.parts.likelihoods import Bernoulli
from zoo.parts.part import make_part
from zoo.parts.real_emissions import GaussianEmission, PenStrokesEmission


@keras.saving.register_keras_serializable("zoo")
class BernoulliEmission(Emission):
    """The emission of binary pixels, such as rows of an image; the outputs are logits.

    As the likelihood of that name, grey levels are the probabilities of what training draws.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pixels = Bernoulli(dtype=self.dtype)

    def field(self, shape):
        return RowsField(shape, self.dtype)

    def start_outputs(self, num_dims):
        return np.zeros(num_dims)

    def preprocess(self, x, seed):
        uniform = uniform_by_step(x, seed)
        return tf.cast(uniform < x, x.dtype)

    def log_prob(self, outputs, x):
        return tf.reduce_sum(self.pixels.distribution(outputs).log_prob(x), -1)

    def draw(self, outputs, seed):
        return self.pixels.draw(outputs, seed)

    def expected(self, outputs):
        return tf.sigmoid(outputs)


EMISSIONS = {
    "bernoulli": BernoulliEmission,
    "gaussian": GaussianEmission,
    "pen_strokes": PenStrokesEmission,
}


def emission_for(field: SequenceField) -> str | dict:
    """Names the emission that is made for data of such a field."""
    if isinstance(field, RowsField):
        return "bernoulli"
    if isinstance(field, StrokesField):
        return {"name": "pen_strokes", "num_components": 20}
    return "gaussian"


def takes_moments(emission: str | dict | Emission) -> bool:
    """Tells whether an emission, which is yet to be made, wants the mean and scale of the data."""
    said = {"name": emission} if isinstance(emission, str) else emission
    if not isinstance(said, dict) or {"mean", "scale"} <= said.keys():
        return False
    cls = EMISSIONS.get(said.get("name"))
    return cls is not None and cls.standardises


def get_emission(emission: str | dict | Emission, dtype: str | None = None, **known) -> Emission:
    """Makes an emission by its name or by a dictionary of its `name` and arguments.

    Args:
      emission: such a name or dictionary, or an object.
      dtype: of the model.
      **known: what the data say, for those emissions that take it: `mean`, `scale`, `grid` and
        `waveform`.

    Returns:
      The object that was given, or a new one.

    Raises:
      UsageError: for an unknown name, or arguments that it does not take.
    """
    return make_part("emission", EMISSIONS, emission, dtype=dtype, **known)
