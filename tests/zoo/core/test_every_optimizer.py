"""Every optimizer of Keras, and what it takes, acts as in plain Keras, on the same quadratic."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import Field

START = {"a": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([0.3, -0.1])}
X = np.random.default_rng(0).standard_normal((24, 2)).astype(np.float32)
SHIFT = np.float32([3.0, -1.0])


def quadratic(a, b, x):
    """Of a user's loss: least squares, a mean over examples."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(x @ a + b - SHIFT), -1)) / 2


class Ours(zoo.TrainableModel):
    """Two parameter groups, one objective."""

    def __init__(self):
        super().__init__(fields={"x": Field((2,))})
        self.parts = weights(self)
        self.built = True

    @property
    def parameter_groups(self):
        return {name: [variable] for name, variable in self.parts.items()}

    def objectives(self, batch, context, latents, seed):
        value = quadratic(*map(tf.convert_to_tensor, self.parts.values()), batch["x"])
        return dict.fromkeys(self.parts, value), {"bound": -value}


class Plain(keras.Model):
    """The same by Keras alone."""

    def __init__(self):
        super().__init__()
        self.parts = weights(self)

    def call(self, x):
        return x @ self.parts["a"] + self.parts["b"]


def weights(model):
    made = {}
    for name, start in START.items():
        initializer = keras.initializers.Constant(start)
        made[name] = model.add_weight(name=name, shape=start.shape, initializer=initializer)
    return made


def least_squares(y, y_pred):
    return keras.ops.sum(keras.ops.square(y_pred - y), -1) / 2


def trained(model, optimizer, mode="eager"):
    """Weights after a few steps on equal batches in equal order."""
    ours = isinstance(model, Ours)
    modes = {"run_eagerly": mode == "eager", "jit_compile": mode == "xla"}
    model.compile(optimizer, **modes, **({} if ours else {"loss": least_squares}))
    # Or Keras builds it in a graph, where ScheduleFreeAdamW begins anew in each step.
    model.optimizer.build(model.trainable_variables)
    y = () if ours else (np.tile(SHIFT, (len(X), 1)),)
    model.fit(X, *y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return [v.numpy() for v in model.parts.values()]


OPTIMIZERS = {
    name: cls
    for name, cls in vars(keras.optimizers).items()
    if inspect.isclass(cls)
    and issubclass(cls, keras.optimizers.Optimizer)
    and cls is not keras.optimizers.Optimizer
    and "Optimizer" not in name  # wrappers
}
ARGUMENTS = {
    "plain": {},
    "ema": {"use_ema": True, "ema_momentum": 0.5},
    "ema in training": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    "clipnorm": {"clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.1},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "weight_decay": {"weight_decay": 0.5},
    "loss_scale_factor": {"loss_scale_factor": 1024.0},
    "accumulation": {"gradient_accumulation_steps": 3},
    "schedule": {"learning_rate": lambda: keras.optimizers.schedules.CosineDecay(0.1, 7)},
    "all": {
        "use_ema": True,
        "ema_overwrite_frequency": 2,
        "global_clipnorm": 0.5,
        "weight_decay": 0.1,
        "gradient_accumulation_steps": 2,
    },
}


def make(cls, arguments, **more):
    arguments = {"learning_rate": 0.1} | arguments | more
    rate = arguments["learning_rate"]
    return cls(**arguments | {"learning_rate": rate() if callable(rate) else rate})


def scaled(optimizer):
    """Whose scale changes, upwards, in a few steps."""
    scale = {"initial_scale": 64.0, "dynamic_growth_steps": 3}
    return keras.optimizers.LossScaleOptimizer(optimizer, **scale)


def by_variable(optimizer):
    """One for each variable, by Keras's own wrapper."""
    other = keras.optimizers.Adam(0.1)
    optimizers = keras.optimizers.OptimizerMap(other, {".*a": optimizer})
    return keras.optimizers.MultiOptimizer(optimizers)


WRAPPERS = {"bare": lambda optimizer: optimizer, "scaled": scaled, "by variable": by_variable}
TWICE = {"bare": [pytest.mark.slow], "scaled": []}  # where a scale is right, so is none
CASES = [
    pytest.param(name, "plain", wrapper, "eager", marks=marks)
    for name in OPTIMIZERS
    for wrapper, marks in TWICE.items()
]
CASES += [
    pytest.param("SGD", label, wrapper, "eager", marks=marks)
    for label in ARGUMENTS
    for wrapper, marks in TWICE.items()
]
CASES += [("Adam", "all", "by variable", "eager")]
CASES += [("Adam", "all", "scaled", "xla"), ("SGD", "accumulation", "by variable", "graph")]


@pytest.mark.parametrize(("name", "label", "wrapper", "mode"), CASES)
def test_as_plain_keras(name, label, wrapper, mode):
    def optimizer():
        return WRAPPERS[wrapper](make(OPTIMIZERS[name], ARGUMENTS[label]))

    assert_same(trained(Plain(), optimizer(), mode), trained(Ours(), optimizer(), mode))


@pytest.mark.parametrize(
    "wrapper", [pytest.param(name, marks=marks) for name, marks in TWICE.items()]
)
@pytest.mark.parametrize("label", ARGUMENTS)
def test_one_for_each_parameter_group(label, wrapper):
    """As those of two variables in plain Keras, whatever the scales of their losses."""

    def optimizers(wrapper="bare"):
        made = (
            make(keras.optimizers.Adam, ARGUMENTS[label]),
            make(keras.optimizers.SGD, ARGUMENTS[label]),
        )
        return dict(zip(START, map(WRAPPERS[wrapper], made), strict=True))

    both = optimizers()
    plain = keras.optimizers.MultiOptimizer(lambda variable: both[variable.path[-1]])
    assert_same(trained(Plain(), plain), trained(Ours(), optimizers(wrapper)))


def assert_same(expected, found):
    for start, a, b in zip(START.values(), expected, found, strict=True):
        assert np.abs(a - start).max() > 1e-4, "something must move"
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (None, "optimizer must be a Keras optimizer or its name; it was None"),
        ({"a": "sgd"}, r"optimizer must have one for each of the parameter groups \['a', 'b'\]"),
        ("adamm", "optimizer must be a Keras optimizer or its name; it was 'adamm'"),
        (1e-3, "optimizer must be a Keras optimizer or its name; it was 0.001"),
        (keras.optimizers.SGD, "optimizer must be a Keras optimizer or its name; it was <class"),
        ({"a": "sgd", "b": None}, "optimizer of 'b' must be a Keras optimizer .*; it was None"),
        ({"a": "adamm", "b": "sgd"}, "optimizer of 'a' must be a Keras optimizer .* 'adamm'"),
        (dict.fromkeys("ab", keras.optimizers.SGD()), "optimizer must be another object for each"),
    ],
)
def test_what_compile_refuses(optimizer, message):
    with pytest.raises(zoo.UsageError, match=message):
        Ours().compile(optimizer)


def test_a_config_is_an_optimizer_as_in_keras():
    model = Ours()
    model.compile(keras.optimizers.serialize(keras.optimizers.SGD(0.25)))
    assert float(model.optimizer.learning_rate) == 0.25


def test_a_rate_is_set_of_a_group():
    """Of the whole it would be lost without a word."""
    model = Ours()
    model.compile({"a": keras.optimizers.SGD(0.5), "b": keras.optimizers.SGD(0.25)})
    rates = {name: float(rate) for name, rate in model.optimizer.learning_rate.items()}
    assert rates == {"a": 0.5, "b": 0.25}
    with pytest.raises(zoo.UsageError, match=r"optimizer.by_group\['a'\].learning_rate"):
        model.optimizer.learning_rate = 0.1


@pytest.mark.parametrize("optimizer", ["sgd", {"a": "sgd", "b": "sgd"}])
def test_what_is_frozen_after_compile_stays(optimizer):
    class Freezing(Ours):
        @property
        def parameter_groups(self):
            return {k: [v] if v.trainable else [] for k, v in self.parts.items()}

    model = Freezing()
    model.compile(optimizer, run_eagerly=True)
    frozen, moved = model.parts.values()
    before = [v.numpy() for v in (frozen, moved)]
    frozen.trainable = False
    model.train_on_batch(X)
    np.testing.assert_array_equal(frozen, before[0])
    assert np.abs(moved - before[1]).max() > 0


def test_rates_of_all_groups_follow_callbacks():
    """Keras looks for optimizers in a list."""
    model = Ours()
    optimizers = {"a": keras.optimizers.SGD(1e-9), "b": keras.optimizers.Adam(1e-8)}
    model.compile(optimizers, run_eagerly=True)
    reduced = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    model.fit(X, epochs=2, batch_size=6, verbose=0, callbacks=[reduced])
    rates = [float(optimizers[name].learning_rate) for name in "ab"]
    np.testing.assert_allclose(rates, [0.5e-9, 0.5e-8], rtol=1e-6)
