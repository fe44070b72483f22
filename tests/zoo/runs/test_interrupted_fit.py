"""A fit that is ended by a signal goes on where it was: the same weights, logs and memories."""

import contextlib
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from interrupting import press
from training import assert_equal, two_replicas, weights

import zoo
from zoo.core import signals

EPOCHS = 3


@pytest.fixture(autouse=True)
def op_by_op():
    with eagerly():
        yield


def build(data):
    model = zoo.VAE.for_data(data, latent_dim=2, hidden=(4,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


class Diary(keras.callbacks.Callback):
    """Remembers what it hears, within an epoch, too; and is no setting of it."""

    def __init__(self):
        super().__init__()
        self.heard, self.rows, self.sums = [], [], np.zeros(2)

    def on_train_batch_end(self, batch, logs=None):
        self.heard.append([self.params["steps"], batch])
        self.sums = self.sums + [batch, logs["bound"]]

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append([epoch, logs])


class Signal(keras.callbacks.Callback):
    """Sends a signal to this process at an event of an epoch, and waits until it is noted."""

    def __init__(self, signum, event, epoch, batch):
        super().__init__()
        self.moment, self.signum = (event, epoch, batch), signum

    def hear(self, event, batch=None):
        if (event, self.epoch, batch) == self.moment:
            press(self.signum)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self.hear("train", batch)

    def on_test_batch_begin(self, batch, logs=None):
        self.hear("test", batch)

    def on_epoch_end(self, epoch, logs=None):
        self.hear("end")


def fit(model, images, checkpoints, *callbacks, **kwargs):
    model.fit(
        images[:40],
        batch_size=10,
        epochs=EPOCHS,
        initial_epoch=checkpoints.restore(model),
        validation_data=images[40:],
        validation_batch_size=5,
        callbacks=[checkpoints, *callbacks],
        verbose=0,
        **kwargs,
    )


@pytest.fixture(scope="module")
def whole(digits, images, tmp_path_factory):
    model, diary = build(digits), Diary()
    with eagerly():
        fit(model, images, zoo.Checkpoints(tmp_path_factory.mktemp("whole")), diary)
    return weights(model), diary


MOMENTS = [
    ("train", 1, 1),
    ("test", 1, 1),
    ("end", 1, None),
]
MOMENTS += [pytest.param(("train", n, n), id=f"train {n}", marks=pytest.mark.slow) for n in (0, 2)]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_it_goes_on_where_it_was(moment, whole, digits, images, tmp_path):
    signum = signal.SIGTERM if moment[1] else signal.SIGINT
    before = signal.getsignal(signum)
    with pytest.raises(
        signals.Interrupted, match="training had done .*goes on from '.*npz'"
    ) as end:
        checkpoints = zoo.Checkpoints(tmp_path)
        fit(build(digits), images, checkpoints, Diary(), Signal(signum, *moment))
    assert end.value.signum == signum and signal.getsignal(signum) is before
    event, epoch, _ = moment
    assert [path.name for path in tmp_path.glob(f"epoch-{epoch + (event == 'end'):06d}.npz")]
    model, diary, checkpoints = build(digits), Diary(), zoo.Checkpoints(tmp_path)
    fit(model, images, checkpoints, diary)
    assert (checkpoints.batches_done, len(list(tmp_path.iterdir()))) == (0, 2)
    assert_equal(whole[0], weights(model))
    assert diary.heard == whole[1].heard and diary.rows == whole[1].rows
    np.testing.assert_array_equal(diary.sums, whole[1].sums)


def test_interrupted_twice_in_one_epoch(whole, digits, images, tmp_path):
    for batch in (1, 3):
        with pytest.raises(signals.Interrupted):
            sent = Signal(signal.SIGINT, "train", 1, batch)
            fit(build(digits), images, zoo.Checkpoints(tmp_path), Diary(), sent)
    with pytest.raises(signals.Interrupted):
        fit(
            build(digits),
            images,
            zoo.Checkpoints(tmp_path),
            Diary(),
            Signal(signal.SIGINT, "test", 1, 1),
        )
    model, diary = build(digits), Diary()
    fit(model, images, zoo.Checkpoints(tmp_path), diary)
    assert_equal(whole[0], weights(model))
    assert diary.heard == whole[1].heard and diary.rows == whole[1].rows


@pytest.mark.slow
def test_on_two_replicas(digits, images, tmp_path):
    """Whose means are kept apart until they are read."""
    found = []
    tf.config.run_functions_eagerly(False)  # in which replicas run one after the other
    for folder, batches in (("whole", []), ("interrupted", [3])):
        for batch in [*batches, None]:
            with two_replicas().scope():
                model = build(digits)
            diary, checkpoints = Diary(), zoo.Checkpoints(tmp_path / folder)
            if batch is None:
                fit(model, images, checkpoints, diary)
            else:
                with pytest.raises(signals.Interrupted):
                    sent = Signal(signal.SIGINT, "train", 0, batch)
                    fit(model, images, checkpoints, diary, sent)
        found.append((weights(model), diary))
    assert_equal(found[0][0], found[1][0])
    assert found[0][1].heard == found[1][1].heard
    for (_, expected), (_, row) in zip(found[0][1].rows, found[1][1].rows, strict=True):
        assert row == pytest.approx(expected, rel=1e-6)


def test_without_checkpoints_ctrl_c_is_that_of_python(digits, images):
    class Press(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as end:
        build(digits).fit(images, callbacks=[Press()], verbose=0)
    assert type(end.value) is KeyboardInterrupt


def test_executions_of_several_steps(digits, images, tmp_path):
    with pytest.raises(signals.Interrupted):
        sent = Signal(signal.SIGINT, "train", 0, 1)
        fit(build(digits), images, zoo.Checkpoints(tmp_path), Diary(), sent)
    model = build(digits)
    model.compile("adam", jit_compile=False, steps_per_execution=2)
    with pytest.raises(zoo.UsageError, match="steps_per_execution must divide the 1 batches that"):
        fit(model, images, zoo.Checkpoints(tmp_path))


def test_programs_of_several_steps(digits, images, tmp_path):
    """Of ten batches, programs of two: the last execution of an epoch is one of them, not two."""
    found = []
    for folder, interruptions in (("whole", []), ("interrupted", [("train", 1, 4)])):
        for moment in [*interruptions, None]:
            model, checkpoints = build(digits), zoo.Checkpoints(tmp_path / folder)
            model.compile("adam", jit_compile=True, steps_per_execution=4)
            with pytest.raises(signals.Interrupted) if moment else contextlib.nullcontext():
                model.fit(
                    images[:40],
                    batch_size=4,
                    epochs=EPOCHS,
                    initial_epoch=checkpoints.restore(model),
                    callbacks=[checkpoints, *([Signal(signal.SIGINT, *moment)] if moment else [])],
                    verbose=0,
                )
        assert model._programs == (2, 5)
        found.append(weights(model))
    assert_equal(*found)
