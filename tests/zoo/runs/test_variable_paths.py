"""Variables have paths of their own, which do not depend on what a process has made before."""

import keras
import pytest

import zoo
from zoo.core import registry
from zoo.core.fields import Field
from zoo.core.trainable import TrainableModel
from zoo.runs.variable_paths import variable_paths
from zoo.testing.specimen import load_data


@pytest.mark.parametrize("name", zoo.method_names())
def test_the_same_in_every_process(name):
    """A second model, whose layers Keras numbers otherwise, has the same paths and shapes."""
    method = registry.methods()[name]
    data = load_data(method.data)
    first, second = (method.cls.for_data(data, **method.tiny) for _ in range(2))
    for model in (first, second):
        model.compile()
    found = [variable_paths(model) for model in (first, second)]
    everything = [*first.variables, *first.optimizer.variables]
    assert sorted(map(id, found[0].values())) == sorted(map(id, everything))
    shapes = [{path: variable.shape for path, variable in paths.items()} for paths in found]
    assert shapes[0] == shapes[1]
    assert [v.path for v in found[0].values()] != [v.path for v in found[1].values()]


def dense(name=None):
    return keras.layers.Dense(2, name=name)


class Model(TrainableModel):
    """With a network whose layers have numbers, and one whose layers share a name."""

    def __init__(self):
        super().__init__(fields={"x": Field((2,))})
        self.upper = keras.Sequential([keras.Input((2,)), dense(), dense(), dense("head")])
        self.lower = keras.Sequential([keras.Input((2,)), dense(), dense()])
        for layer in self.lower.layers:
            layer.name = "same"
            for variable in layer.variables:
                variable._path = f"same/{variable.name}"
        self.scale = self.add_weight(shape=(), name="scale", trainable=False)

    @property
    def parameter_groups(self):
        return {"upper": self.upper.trainable_variables, "lower": self.lower.trainable_variables}

    def _check_parameter_groups(self):
        """Nothing: they are told apart by paths."""


def test_the_paths():
    keras.layers.Dense(1), keras.layers.Dense(1)  # which take numbers away
    model = Model()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    paths = variable_paths(model)
    own = [
        *(f"upper/{layer}/{v}" for layer in ("dense", "dense_1", "head") for v in WEIGHTS),
        *(f"lower/same/{v}{again}" for again in ("", "#2") for v in WEIGHTS),
    ]
    assert list(paths)[:12] == [f"model/{path}" for path in [*own, "training_step", "scale"]]
    assert list(paths)[12:14] == ["optimizer/sgd/iteration", "optimizer/sgd/learning_rate"]
    momenta = [
        f"optimizer/sgd/model/upper/{layer}/{v}/momentum" for layer in UPPER for v in WEIGHTS
    ]
    assert list(paths)[14:20] == momenta
    assert paths["model/upper/dense_1/bias"] is model.upper.layers[1].bias
    assert paths["model/lower/same/kernel#2"] is model.lower.layers[1].kernel
    assert len(paths) == len(model.variables) + len(model.optimizer.variables) == 24


WEIGHTS, UPPER = ("kernel", "bias"), ("dense", "dense_1", "head")
