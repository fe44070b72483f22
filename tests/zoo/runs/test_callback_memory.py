"""Callbacks with a memory go on after a resume as if nothing had happened."""

import keras
import numpy as np
import pytest

from zoo.runs.callback_memory import memory_of, pack, recall, settings_of, unpack

LOSSES = [3.0, 1.0, 2.0, 2.0, 1.5, 0.5, 0.7]
Keras = keras.callbacks


class Own(Keras.Callback):
    """A user's, with arrays and lists, and a setting that is changed for the second part."""

    def __init__(self, every):
        super().__init__()
        self.every, self.best, self.seen, self.mean = every, {}, [], np.zeros(2, np.float32)

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, logs["val_loss"]))
        self.mean = self.mean + np.float32(logs["val_loss"])
        self.best = min(self.best or logs, logs, key=lambda found: found["val_loss"])


CALLBACKS = {
    "ModelCheckpoint": lambda path: Keras.ModelCheckpoint(path / "best.keras", save_best_only=True),
    "EarlyStopping": lambda _: Keras.EarlyStopping(
        patience=3, min_delta=0.1, restore_best_weights=True
    ),
    "ReduceLROnPlateau": lambda _: Keras.ReduceLROnPlateau(
        patience=1, cooldown=1, min_delta=0.1, factor=0.5
    ),
    "CSVLogger": lambda path: Keras.CSVLogger(path / "rows.csv", append=True),
    "History": lambda _: Keras.History(),
    "Own": lambda _: Own(3),
    "TensorBoard": lambda path: Keras.TensorBoard(path / "logs"),
}


def run(model, callbacks, epochs):
    for epoch in epochs:
        for callback in callbacks:
            callback.on_epoch_begin(epoch)
        model.layers[-1].bias.assign([LOSSES[epoch]])
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"val_loss": LOSSES[epoch]})


def begin(model, kinds, path):
    callbacks = [CALLBACKS[kind](path) for kind in kinds]
    for callback in callbacks:
        callback.set_model(model)
        callback.set_params({"epochs": len(LOSSES), "steps": 1})
        callback.on_train_begin()
    return callbacks, settings_of(callbacks)


@pytest.mark.parametrize("done", [1, 3, 5])
@pytest.mark.parametrize(
    "kinds", [*([kind] for kind in CALLBACKS), ["EarlyStopping", "Own", "EarlyStopping"]], ids=str
)
def test_it_goes_on(kinds, done, tmp_path):
    found = []
    for parts in ([range(len(LOSSES))], [range(done), range(done, len(LOSSES))]):
        path = tmp_path / str(len(parts))
        path.mkdir()
        model = keras.Sequential(
            [keras.Input([1]), keras.layers.Dense(1, kernel_initializer="ones")]
        )
        model.compile("sgd")
        arrays = {}
        for epochs in parts:
            callbacks, at_first = begin(model, kinds, path)
            recall(callbacks, unpack(arrays, "memory"))
            run(model, callbacks, epochs)
            arrays = pack(memory_of(callbacks, at_first), "memory")
            arrays = {name: np.array(array) for name, array in arrays.items()}
        for callback in callbacks:
            callback.on_train_end()
        rows = [file.read_text() for file in path.glob("*.csv")]
        saved = [keras.models.load_model(file).get_weights()[1] for file in path.glob("*.keras")]
        rate = float(model.optimizer.learning_rate)
        memories = {
            # Whether a table has its header is asked anew.
            name: {k: v for k, v in held.items() if k[0] != "_" and k != "append_header"}
            for name, held in settings_of(callbacks).items()
        }
        found.append(pack({"m": memories, "": [rows, saved, rate, model.get_weights()[1]]}, ""))
    assert found[0].keys() == found[1].keys()
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name], err_msg=name)


def test_settings_are_the_users_to_change():
    one, other = Own(3), Own(5)
    at_first = settings_of([one])
    one.every = 4
    one.on_epoch_end(0, {"val_loss": 1.0})
    recall([other], memory_of([one], at_first))
    assert other.every == 5 and other.seen == [(0, 1.0)]


def test_other_callbacks_than_before_begin_anew():
    first = [Own(3), Keras.EarlyStopping()]
    at_first = settings_of(first)
    first[0].on_epoch_end(0, {"val_loss": 1.0})
    memory = memory_of(first, at_first)
    stopping, own, second = Keras.EarlyStopping(), Own(3), Own(3)
    recall([stopping, own, second], memory)
    assert (stopping.best, own.seen, second.seen) == (None, [(0, 1.0)], [])
