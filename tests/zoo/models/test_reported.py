"""What a training step tells is of that step: its step sizes, and a bound of one meaning."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training import BATCH, build

import samplers
import zoo


def first_batch(data):
    return {name: tf.constant(value[:BATCH]) for name, value in next(iter(data.train)).items()}


GRID = {"method": "grid", "interval": 1, "grid": (0.1, 0.2)}
CASES = [
    ("HMCDLGM", {}, "step_size"),
    pytest.param("AnnealedVAE", {}, "mean_step_size", marks=pytest.mark.slow),
    pytest.param("ShortRun", {"step_size_search": GRID}, "step_size", marks=pytest.mark.slow),
    ("DVAE", {}, "log_normalizer"),
]


@pytest.mark.parametrize(("method", "arguments", "name"), CASES)
def test_state_is_told_as_the_step_used_it(digits, method, arguments, name):
    model = build(zoo.get_method(method), digits, **arguments)
    variable = model.prior_part.log_normalizer if method == "DVAE" else model.step_size
    before = np.mean(variable.numpy())
    told = [float(model.train_step(first_batch(digits))[name])]
    after = np.mean(variable.numpy())
    np.testing.assert_allclose(told, before, rtol=1e-6)
    assert after != before or method in ("DVAE", "ShortRun")


WARMUPS = {
    "LadderVAE": ({"warmup_steps": 10}, ["bound", "kl"]),
    "DVAE": ({"warmup_steps": 10}, ["bound", "kl"]),
    "DVAE of several samples": (
        {"warmup_steps": 10, "num_samples": 3},
        ["bound", "importance_weighted_bound", "kl"],
    ),
    "StructuredPrediction": ({"entropy_steps": 10}, ["bound", "entropy"]),
}


@pytest.mark.parametrize("label", WARMUPS)
def test_no_factor_of_a_warm_up_is_in_what_is_told(digits, label):
    arguments, names = WARMUPS[label]
    model = build(zoo.get_method(label.split()[0]), digits, **arguments)
    batch, seed = first_batch(digits), samplers.as_seed(1)
    context = model.amortise(batch, seed)
    latents, _ = model.sample_latents(batch, context, seed)
    told = []
    for step in (0, 10):
        model.training_step.assign(step)
        objectives, metrics = model.objectives(batch, context, latents, seed)
        told.append([*objectives.values(), *(metrics[name] for name in names)])
    assert not np.allclose(told[0][0], told[1][0]), "the objective has the factor"
    for a, b in zip(told[0][-len(names) :], told[1][-len(names) :], strict=True):
        np.testing.assert_array_equal(a, b)


def test_bound_of_several_samples_is_no_importance_weighted_one(digits):
    """Of Jensen's inequality: the mean of log weights is below the log of their mean."""
    for method in ("IWAE", "AnnealedVAE", "DVAE", "StructuredPrediction"):
        model = build(zoo.get_method(method), digits, num_samples=3)
        told = model.train_step(first_batch(digits))
        assert float(told["bound"]) < float(told["importance_weighted_bound"]), method
        assert float(told["loss"]) == -float(told["bound"])


def callbacks(folder):
    return {
        "stopping": keras.callbacks.EarlyStopping(restore_best_weights=True),
        "plateau": keras.callbacks.ReduceLROnPlateau(),
        "checkpoint": keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", save_best_only=True, save_weights_only=True
        ),
    }


class Worse(keras.callbacks.Callback):
    """Tells losses that rise, before others read them, and keeps all state."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_epoch_end(self, epoch, logs=None):
        assert np.isfinite(logs["val_loss"])
        logs["val_loss"] = float(epoch)
        self.states.append([v.numpy() for v in self.model.variables])


@pytest.mark.parametrize("method", ["DVAE", pytest.param("ABP", marks=pytest.mark.slow)])
def test_callbacks_without_arguments_bring_the_best_state_back(digits, method, tmp_path):
    """All of it: step sizes, particles, chains and log Z belong to the weights."""
    model = build(zoo.get_method(method), digits)
    given, worse = callbacks(tmp_path), Worse()
    x = {name: value[:BATCH] for name, value in first_batch(digits).items()}
    model.fit(
        x,
        batch_size=BATCH,
        epochs=9,
        verbose=0,
        validation_data=digits.test.take(1),
        callbacks=[worse, *given.values()],
    )
    assert len(worse.states) == 2 and given["stopping"].best_epoch == 0
    restored = [v.numpy() for v in model.variables]
    model.load_weights(tmp_path / "best.weights.h5")
    loaded = [v.numpy() for v in model.variables]
    for first, last, a, b in zip(*worse.states, restored, loaded, strict=True):
        np.testing.assert_array_equal(a, first)
        np.testing.assert_array_equal(b, first)
        assert first.dtype.kind != "f" or first.size == 1 or not np.array_equal(first, last)
