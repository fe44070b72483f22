"""Scores take log Z from the weights that they score, whatever these came from."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_dvaes import exact_log_normalizer, images, small

import zoo
from zoo import scores
from zoo.core.annealing import ImportanceSampling
from zoo.core.preparation import CachedEstimate
from zoo.parts import DirectedPosterior
from zoo.serving import concrete_functions

X = images(40).numpy()
STATES = tf.cast((tf.range(256)[:, None] // 2 ** tf.range(8)) % 2, tf.float32)


def make(seed=1):
    """A model that learns so fast that log Z moves, of which its particles tell nothing."""
    posterior = DirectedPosterior((4, 4))
    model = small(posterior, num_particles=10, particles="persistent", likelihood="bernoulli")
    model.protocol = ImportanceSampling(2)
    model.compile(keras.optimizers.SGD(0.5), jit_compile=False)
    return model


def fit(model, epochs=1, **kwargs):
    return model.fit(X, batch_size=20, epochs=epochs, verbose=0, **kwargs)


class Interruption(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def interrupted(model, path):
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[Interruption()])
    return model


def checkpointed(model, path):
    checkpoints = zoo.Checkpoints(path / "checkpoints")
    fit(model, callbacks=[checkpoints])
    other = make()
    checkpoints.restore(other)
    return other


def saved_by_keras(model, path):
    file = str(path / "model.keras")
    fit(model, callbacks=[keras.callbacks.ModelCheckpoint(file)])
    loaded = keras.models.load_model(file)
    loaded.protocol = ImportanceSampling(2)
    return loaded


def best_weights(model, path):
    stop = keras.callbacks.EarlyStopping(
        "log_normalizer", patience=9, mode="min", restore_best_weights=True
    )
    fit(model, epochs=3, callbacks=[stop])
    return model


def by_hand(model, path):
    fit(model)
    model.prior_part.set_weights([0.5 * w for w in model.prior_part.get_weights()])
    return model


def own_loop(model, path):
    fit(model)
    model.train_step({"x": tf.constant(X[:20])})
    return model


WAYS = [interrupted, checkpointed, saved_by_keras, best_weights, by_hand, own_loop]
SLOW = (checkpointed, by_hand)  # as others by which files and weights come
ASKED = {
    "log_likelihood": lambda model: model.log_likelihood(X[:2]),
    "evaluate": lambda model: model.evaluate(X[:2], verbose=0),
    "importance_weighted_bound": lambda model: scores.importance_weighted_bound(model, X[:2]),
    "export": lambda model: concrete_functions(model),
}


def normalizer_error(model):
    """Log of the sum of p(z) over all states."""
    return abs(float(tf.reduce_logsumexp(model.prior.log_prob(STATES))))


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] * (way in SLOW)) for way in WAYS]
)
def test_scores_are_of_the_present_weights(way, tmp_path):
    """And they change no variable."""
    model = way(make(), tmp_path)
    assert (
        abs(float(model.prior_part.log_normalizer) - exact_log_normalizer(model.prior_part)) > 0.05
    )
    before = [v.numpy() for v in model.variables]
    ask = list(ASKED.values())[WAYS.index(way) % len(ASKED)]  # each of them, by some way
    ask(model)
    assert normalizer_error(model) < 0.03
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_an_estimate_is_made_once_for_weights_and_seed(monkeypatch):
    """So that a score is a function of weights and seed alone, whatever was asked before."""
    model = make()
    first = model.prepare_for_scores(3)
    assert model.prepare_for_scores(3) is not None
    told = []
    monkeypatch.setattr(CachedEstimate, "store", lambda self, *args: told.append(args))
    assert model.prepare_for_scores(3) == first and not told
    other = model.prepare_for_scores(4)
    assert other != first and len(told) == 1


def test_an_export_keeps_log_z_as_of_then():
    model = make()
    model.train_step({"x": tf.constant(X[:20])})
    inputs = {"x": tf.constant(X[:3]), "seed": tf.constant([5, 0])}
    served = concrete_functions(model)["log_likelihood"](**inputs)
    expected = model.log_likelihood(X[:3], 5)
    np.testing.assert_allclose(served["log_likelihood"], expected["log_likelihood"], rtol=1e-5)
    assert normalizer_error(model) < 0.03


def test_an_estimate_belongs_to_the_values_that_it_was_made_at():
    variable = keras.Variable([1.0, 2.0])
    estimate = CachedEstimate([variable])
    read = tf.function(lambda: estimate.or_else(tf.constant(-1.0)))
    assert estimate.find((0,)) is None and read() == -1
    estimate.store(5.0, (0,), "five")
    assert estimate.find((0,)) == "five" and estimate.find((1,)) is None and read() == 5
    variable.assign([1.0, 3.0])
    assert estimate.find((0,)) is None and read() == -1
    variable.assign([1.0, 2.0])
    assert estimate.find((0,)) == "five" and read() == 5
