"""Checkpoints: whatever ends a run, or fills the disk, there is a whole one to go on from."""

import errno
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import Killed
from training import assert_equal, variables, weights

import zoo
from zoo.core import files
from zoo.core.callbacks import StopOnDivergence


def build(data, **kwargs):
    model = zoo.VAE.for_data(data, **{"latent_dim": 2, "hidden": (4,)} | kwargs)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def whole(digits, images, tmp_path_factory):
    """The weights after each of five epochs, and the directory after the third."""
    folder = tmp_path_factory.mktemp("whole")
    model = build(digits)
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(weights(self.model))
            if epoch == 3:  # the third is written, the fourth is not yet
                shutil.copytree(folder / "run", folder / "third")

    checkpoints = zoo.Checkpoints(folder / "run")
    assert checkpoints.restore(model) == 0
    callbacks = [Keep(), checkpoints]
    model.fit(images, batch_size=10, epochs=5, callbacks=callbacks, verbose=0)
    return kept, folder / "third"


@pytest.fixture
def trained(whole, tmp_path):
    """The weights after three epochs, and a directory that holds them."""
    return whole[0][2], shutil.copytree(whole[1], tmp_path / "run")


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_training_goes_on_to_the_same_weights(whole, trained, digits, images):
    model, checkpoints = build(digits), zoo.Checkpoints(trained[1])
    done = checkpoints.restore(model)
    callbacks = [checkpoints]
    model.fit(images, batch_size=10, epochs=5, initial_epoch=done, callbacks=callbacks, verbose=0)
    assert done == 3 and names(trained[1]) == ["epoch-000004.npz", "epoch-000005.npz"]
    assert_equal(whole[0][4], weights(model))


def test_the_last_two_are_kept(trained, digits):
    expected, directory = trained
    assert names(directory) == ["epoch-000002.npz", "epoch-000003.npz"]
    other = build(digits)
    assert zoo.Checkpoints(directory / "none").restore(other) == 0
    assert zoo.Checkpoints(directory).restore(other) == 3
    assert_equal(expected, weights(other))


def test_one_epoch_in_so_many_and_the_last_are_written(whole, digits, images, tmp_path):
    """Several steps in one call of the program, the last of which is not full, change nothing."""
    model, seen = build(digits), []
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=False, steps_per_execution=4)
    checkpoints = zoo.Checkpoints(tmp_path, save_freq=2)
    look = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append(names(tmp_path)))
    callbacks = [look, checkpoints]
    model.fit(images, batch_size=10, epochs=5, callbacks=callbacks, verbose=0)
    assert [len(found) for found in seen] == [0, 0, 1, 1, 2]
    assert names(tmp_path) == ["epoch-000004.npz", "epoch-000005.npz"]
    assert_equal(whole[0][4], weights(model))


def write(whole, directory, digits, epoch):
    """What a training does in the end of an epoch."""
    model = build(digits)
    checkpoints = zoo.Checkpoints(directory)
    checkpoints.restore(model)
    for variable, value in zip(variables(model), whole[0][epoch], strict=True):
        variable.assign(value)
    checkpoints.set_model(model)
    checkpoints.on_epoch_end(epoch)


@pytest.mark.parametrize("moment", ["savez", "fsync", "replace", "unlink"])
def test_a_killed_write_loses_nothing(moment, whole, trained, digits, monkeypatch):
    """Of the fourth epoch's, whose file may be cut off."""
    _, directory = trained
    owner = {"savez": np, "unlink": files.pathlib.Path}.get(moment, os)

    with monkeypatch.context() as patch, pytest.raises(Killed):

        def kill(path, *args, **kwargs):
            if moment == "savez":
                with open(path, "wb") as file:
                    file.write(b"PK")
            # The cleaning up after a failed write is not done by what is killed.
            patch.setattr(files.pathlib.Path, "unlink", lambda *_, **__: None)
            raise Killed

        patch.setattr(owner, moment, kill)
        write(whole, directory, digits, 3)
    resumed = build(digits)
    done = zoo.Checkpoints(directory).restore(resumed)
    assert done == (4 if moment == "unlink" else 3)
    assert_equal(whole[0][done - 1], weights(resumed))
    write(whole, directory, digits, 4)
    assert names(directory) == [f"epoch-{epoch:06d}.npz" for epoch in (done, 5)]


@pytest.mark.parametrize("damage", ["cut off", "changed", "empty", "encrypted"])
def test_a_damaged_file_is_told_and_passed_over(damage, whole, trained, digits, capsys):
    _, directory = trained
    path = directory / "epoch-000003.npz"
    content = bytearray(path.read_bytes())
    encrypted = bytearray(content)
    encrypted[encrypted.find(b"PK\1\2") + 8] ^= 1  # a flag in the table of the archive
    content[len(content) // 2] ^= 255
    damaged = {"cut off": content[:-100], "changed": content, "encrypted": encrypted, "empty": b""}
    path.write_bytes(damaged[damage])
    other = build(digits)
    assert zoo.Checkpoints(directory).restore(other) == 2
    assert f"'{path}' is damaged" in capsys.readouterr().err
    assert_equal(whole[0][1], weights(other))


def test_all_files_damaged(trained, digits):
    _, directory = trained
    for path in directory.iterdir():
        path.write_bytes(b"")
    with pytest.raises(zoo.UsageError, match="none in .* can be read; remove it to start anew"):
        zoo.Checkpoints(directory).restore(build(digits))


def rewritten(path, change):
    """The checkpoint once more, after `change(arrays)`."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def test_variables_match_by_path_and_not_by_position(trained, digits):
    expected, directory = trained
    path = directory / "epoch-000003.npz"

    def turn(arrays):
        turned = list(arrays.items())[::-1]
        arrays.clear()
        arrays.update(turned)

    rewritten(path, turn)
    other = build(digits)
    assert zoo.Checkpoints(directory).restore(other) == 3
    assert_equal(expected, weights(other))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a.pop("model/decoder/dense/kernel"), "it lacks 'model/decoder/dense/kernel'"),
        (lambda a: a.update({"model/decoder/more": np.ones(3)}), "it has 'model/decoder/more'"),
        (
            lambda a: a.update({"model/decoder/dense/kernel": np.ones([2, 5])}),
            r"'model/decoder/dense/kernel' has the shape \[2, 5\] there, and \[2, 4\] here",
        ),
    ],
)
def test_what_differs_is_named(change, told, trained, digits):
    rewritten(trained[1] / "epoch-000003.npz", change)
    other = build(digits)
    before = weights(other)
    with pytest.raises(zoo.UsageError, match=f"is of another model or optimizer: {told}"):
        zoo.Checkpoints(trained[1]).restore(other)
    assert_equal(before, weights(other))


def test_another_model_and_another_optimizer(trained, digits):
    with pytest.raises(zoo.UsageError, match="'model/encoder/dense/kernel' has the shape"):
        zoo.Checkpoints(trained[1]).restore(build(digits, hidden=(5,)))
    other = build(digits)
    other.compile("sgd")
    with pytest.raises(zoo.UsageError, match="it lacks 'optimizer/sgd/iteration'"):
        zoo.Checkpoints(trained[1]).restore(other)


def test_checkpoints_of_version_0_1_0(trained, digits):
    path = trained[1] / "epoch-000003.npz"
    other = build(digits)
    np.savez(path, *weights(other))  # by position
    with pytest.raises(zoo.UsageError, match="3.npz' was written by version 0.1.0 of the zoo"):
        zoo.Checkpoints(trained[1]).restore(other)


def test_checkpoints_of_another_run_are_not_written_over(trained, digits, images):
    with pytest.raises(zoo.UsageError, match="holds those of an earlier run; go on from them"):
        build(digits).fit(images, callbacks=[zoo.Checkpoints(trained[1])], verbose=0)
    assert names(trained[1]) == ["epoch-000002.npz", "epoch-000003.npz"]


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("owner", [np, os], ids=["write", "rename"])
def test_a_full_disk(owner, whole, trained, digits, monkeypatch):
    expected, directory = trained
    with monkeypatch.context() as patch:
        patch.setattr(owner, "savez" if owner is np else "replace", full)
        with pytest.raises(zoo.UsageError, match="cannot write .*epoch-000004.npz': No space left"):
            write(whole, directory, digits, 3)
    assert names(directory) == ["epoch-000002.npz", "epoch-000003.npz"]
    other = build(digits)
    assert zoo.Checkpoints(directory).restore(other) == 3
    assert_equal(expected, weights(other))


def test_no_directory(whole, digits, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(zoo.UsageError, match="cannot write '.*epoch-000001.npz': File exists"):
        write(whole, tmp_path / "run", digits, 0)


class Spoil(keras.callbacks.Callback):
    """Makes the model's weights NaN after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == self.step:
            self.model.trainable_variables[0].assign(
                tf.fill(self.model.trainable_variables[0].shape, np.nan)
            )


def test_divergence_names_the_step_the_term_and_the_checkpoint(digits, images, tmp_path):
    """Twenty steps in an epoch of forty rows, two at a time; and no checkpoint is written of it."""
    model = build(digits)
    checkpoints = zoo.Checkpoints(tmp_path)
    with pytest.raises(
        FloatingPointError,
        match="epoch 3, step 48: bound, elbo_objective, loss not finite.*is '.*epoch-000002.npz'",
    ):
        callbacks = [Spoil(47), checkpoints]
        model.fit(images[:40], batch_size=2, epochs=4, callbacks=callbacks, verbose=0)
    assert model.optimizer.iterations == 48  # nothing is trained after it
    assert names(tmp_path) == ["epoch-000001.npz", "epoch-000002.npz"]


def test_divergence_is_told_by_the_first_step_and_before_the_validation(digits):
    """Keras may run the checks of several steps at once, in any order."""
    model = build(digits)
    stop = StopOnDivergence()
    stop.set_model(model)
    stop.on_epoch_begin(0)
    for batch in (6, 5, 7):
        stop.on_train_batch_end(batch, {"mse": 1.0, "bound": np.nan})
    assert model.stop_training
    with pytest.raises(FloatingPointError, match="step 6: bound not finite"):
        stop.on_test_begin()
    stop.on_epoch_begin(1)
    with pytest.raises(FloatingPointError, match="epoch 2, .*: val_bound not finite"):
        stop.on_epoch_end(1, {"bound": 1.0, "val_bound": np.inf})


def test_weights_that_are_not_finite_are_not_written(digits, images, tmp_path):
    """After the last step of an epoch, whose objective does not know yet."""
    model = build(digits)
    with pytest.raises(FloatingPointError, match="epoch 2: .* is not finite; the last good check"):
        callbacks = [Spoil(40), zoo.Checkpoints(tmp_path)]
        model.fit(images[:40], batch_size=2, epochs=4, callbacks=callbacks, verbose=0)
    assert names(tmp_path) == ["epoch-000001.npz"]
