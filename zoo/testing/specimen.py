"""One small model, trained a little on real data, which all clauses of the contract share."""

import functools

import keras
import numpy as np
import tensorflow as tf

import zoo
from zoo.core import registry
from zoo.core.abilities import defines
from zoo.core.annealing import Annealing, ImportanceSampling

BATCH = 50


@functools.cache
def load_data(source: str) -> "zoo.data.Data":
    """The data that small models are trained on, loaded once."""
    return zoo.data.load(source, batch_size=BATCH, verbose=False)


class Specimen:
    """A tiny model of a registered class, with data; it is built once, and reset between clauses.

    Args:
      cls: a class that `zoo.register` has registered.
      variant: the label of one of its `variants`, or None.
    """

    def __init__(self, cls: type, variant: str | None = None):
        self.cls = cls
        self.method = registry.methods()[cls.__name__]
        self.arguments = self.method.tiny | (self.method.variants[variant] if variant else {})
        self.data = load_data(self.method.data)
        batches = [
            {name: value.numpy() for name, value in batch.items()}
            for batch in self.data.train.take(3)
        ]
        self.train = {k: np.concatenate([b[k] for b in batches]) for k in batches[0]}
        test = next(iter(self.data.test))
        self.test = {k: v.numpy()[:20] for k, v in test.items()}
        self.x = self.test["x"]

    def build(self, *, jit_compile: bool = False, optimizer="adam", **kwargs) -> keras.Model:
        """A compiled model of the tiny arguments; `kwargs` are further ones."""
        model = self.cls.for_data(self.data, **self.arguments | kwargs)
        optimizer = keras.optimizers.get(optimizer)
        optimizer.learning_rate = 3e-3
        model.compile(optimizer, jit_compile=jit_compile)
        # Shorter scores: a clause asks whether they are right, not whether they are precise.
        if defines(model, "protocol"):
            short = Annealing(16, 10, 2, start="prior"), ImportanceSampling(num_samples=50)
            model.protocol = short[0] if model.can_be_annealed else short[1]
        return model

    @functools.cached_property
    def model(self) -> keras.Model:
        """The one model that clauses share; ask `reset` for it."""
        model = self.build()
        self._start = values(model)
        return model

    def reset(self) -> keras.Model:
        """The shared model as it was when it was built, with all its compiled programs."""
        model = self.model
        for variable, value in zip(variables(model), self._start, strict=True):
            variable.assign(value)
        return model

    def fit(self, model: keras.Model, epochs: int = 1, **kwargs) -> keras.callbacks.History:
        """Trains on a few batches."""
        return model.fit(self.train, batch_size=BATCH, epochs=epochs, verbose=0, **kwargs)

    @property
    def given(self) -> dict:
        """What `sample` of a conditional model takes beside."""
        if not defines(self.model, "sample"):
            return {}
        fields = self.model.sample_fields.items()
        image = self.x[0]
        return {k: image if f.shape == image.shape else f.example() for k, f in fields}

    @property
    def batch(self) -> dict[str, tf.Tensor]:
        """A training batch as the model explains it, on which a step can be taken by hand."""
        batch = {name: tf.constant(value[:BATCH]) for name, value in self.train.items()}
        return self.model.preprocess(batch, tf.constant([1, 2]))


def variables(model: keras.Model) -> list:
    """Those of a model and of its optimizer."""
    return [*model.variables, *model.optimizer.variables]


def values(model: keras.Model) -> list[np.ndarray]:
    """The values of all variables of a model and of its optimizer."""
    return [variable.numpy() for variable in variables(model)]


def same(first, second) -> bool:
    """Whether two lists of arrays are equal bit for bit."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
