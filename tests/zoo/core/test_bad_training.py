"""Optimizers, callbacks and arguments of `fit`, drawn at random: numbers, or one clear error.

What an optimizer or a callback of Keras says of its own arguments is its own affair.
"""

import inspect
import traceback

import keras
import numpy as np
import pytest
from bad_input import JUNK, ask, inputs
from hypothesis import given
from hypothesis import strategies as st
from stub_model import X, stub

import zoo

OPTIMIZERS = [
    cls
    for cls in vars(keras.optimizers).values()
    if inspect.isclass(cls)
    and issubclass(cls, keras.optimizers.Optimizer)
    and cls not in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
]
junk = st.sampled_from(JUNK)


@pytest.fixture(scope="module", autouse=True)
def all_of_a_traceback():
    """So that it tells who raised an error."""
    keras.config.disable_traceback_filtering()
    yield
    keras.config.enable_traceback_filtering()


def some_of(names, values=junk):
    """One or two arguments, by name."""
    return st.dictionaries(st.sampled_from(names), values, min_size=1, max_size=2)


def fitted(model, may_refuse=(), **arguments):
    """What is told of a training that ends well; parts of Keras may refuse it as they like."""

    def fit():
        try:
            history = model.fit(**{"x": X, "batch_size": 4, "verbose": 0} | arguments).history
        except Exception as error:
            files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
            if any(f"/keras/src/{part}/" in file for part in may_refuse for file in files):
                raise zoo.UsageError(str(error)) from None
            raise
        assert np.isfinite([v for values in history.values() for v in values]).all(), history
        assert np.isfinite(model.get_weights()[0]).all(), "silent NaN in weights"
        return history

    return ask(fit)


@inputs(25)
@given(
    st.sampled_from(OPTIMIZERS),
    some_of(
        [
            *("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm"),
            *("use_ema", "ema_momentum", "ema_overwrite_frequency"),
            *("loss_scale_factor", "gradient_accumulation_steps"),
        ]
    ),
    st.booleans(),
)
def test_optimizers(cls, arguments, scaled):
    try:
        optimizer = cls(**arguments)
    except (ValueError, TypeError):
        return
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model = ask(lambda: stub(optimizer=optimizer))
    if model is not None:
        fitted(model, ["optimizers"], epochs=2)


CALLBACKS = {
    keras.callbacks.EarlyStopping: [
        *("monitor", "min_delta", "patience", "mode", "baseline"),
        *("restore_best_weights", "start_from_epoch"),
    ],
    keras.callbacks.ReduceLROnPlateau: [
        *("monitor", "factor", "patience", "mode", "min_delta", "cooldown", "min_lr"),
    ],
    keras.callbacks.ModelCheckpoint: ["monitor", "save_best_only", "save_weights_only", "mode"],
    keras.callbacks.LearningRateScheduler: ["schedule"],
    keras.callbacks.SwapEMAWeights: ["swap_on_epoch"],
}


@pytest.mark.slow
@inputs(25)
@given(st.sampled_from(list(CALLBACKS)), st.data())
def test_callbacks(tmp_path_factory, cls, data):
    arguments = data.draw(some_of(CALLBACKS[cls]))
    if cls is keras.callbacks.ModelCheckpoint:
        arguments["filepath"] = str(tmp_path_factory.mktemp("best") / "best.weights.h5")
    try:
        callback = cls(**arguments)
    except (ValueError, TypeError):
        return
    fitted(stub(), ["callbacks"], epochs=2, callbacks=[callback], validation_data=X)


@inputs(50)
@given(
    some_of(
        [
            *("x", "y", "batch_size", "epochs", "callbacks", "validation_split"),
            *("validation_data", "class_weight", "sample_weight", "initial_epoch"),
            *("steps_per_epoch", "validation_steps", "validation_batch_size", "validation_freq"),
        ],
        st.sampled_from([v for v in JUNK if not isinstance(v, int) or v < 100]),
    )
)
def test_arguments_of_fit(arguments):
    fitted(stub(), **arguments)


@pytest.mark.parametrize("callbacks", [[3], ["early"], [None], [keras.callbacks.EarlyStopping]])
def test_what_is_no_callback(callbacks):
    assert fitted(stub(), callbacks=callbacks) is None
