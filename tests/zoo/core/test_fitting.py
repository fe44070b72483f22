"""What users of Keras pass: one place checks it, whatever way it comes, and data of every kind."""

import inspect
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from stub_model import Batches, Endless, Stub, X, Y, stub

import zoo

BATCH = {"x": X[:4]}
WAYS = {
    "fit": lambda model, data: model.fit(data, batch_size=2, verbose=0),
    "evaluate": lambda model, data: model.evaluate(data, verbose=0),
    "predict": lambda model, data: model.predict(data, verbose=0),
    "train_on_batch": lambda model, data: model.train_on_batch(data),
    "test_on_batch": lambda model, data: model.test_on_batch(data),
    "predict_on_batch": lambda model, data: model.predict_on_batch(data),
    "train_step": lambda model, data: model.train_step(data),
    "test_step": lambda model, data: model.test_step(data),
    "validation": lambda model, data: model.fit(X, batch_size=4, validation_data=data, verbose=0),
}
BAD = [
    (
        {"x": 255 * X},
        r"x must hold pixels in \[0, 1\]; they run from 0 to 255; divide them by 255",
    ),
    ({"x": np.uint8(255 * X)}, r"they run from 0 to 255; divide them by 255"),
    ({"x": 2 * X - 1}, r"they run from -1 to 1; add 1 and divide by 2"),
    ({"x": 1e3 * X}, r"they run from 0 to 1000\."),
    ({"x": X * np.nan}, "x must be finite"),
    ({"x": X[:, 0]}, r"x must have the shape \[N, 2\]; it was \[12\]"),
    ({"x": X[:0]}, "x must be a batch of at least one example"),
    ({"images": X}, "x must be a key"),
    ({"x": X, "sample_weight": Y}, "sample_weight must be left out: no method here weighs"),
    ({"x": X, "class_weight": {0: 1.0}}, "class_weight must be left out: no method here weighs"),
]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_batch_is_refused_whatever_way_it_comes(way):
    model = stub()
    for data, message in BAD:
        with pytest.raises(zoo.UsageError, match=message):
            WAYS[way](model, data)
    assert int(model.training_step) == 0 and not np.any(model.mean)
    WAYS[way](model, BATCH)


@pytest.mark.parametrize("compiled", [True, False])
def test_what_a_step_needs_beside_x(compiled):
    """A method that keeps chains is not told which by a batch alone."""
    model = stub("y", "index", run_eagerly=not compiled, jit_compile=False)
    whole = {"x": X[:4], "y": Y[:4], "index": np.arange(4)}
    for name, message in (("index", "each example's number"), ("y", "which the model takes")):
        batch = {key: value for key, value in whole.items() if key != name}
        with pytest.raises(
            zoo.UsageError, match=f"x must give dictionaries with {name}, {message}"
        ):
            model.train_on_batch(batch)
    with pytest.raises(zoo.UsageError, match="y must be as long as x, 4; it was 3"):
        model.train_on_batch(whole | {"y": Y[:3]})
    with pytest.raises(zoo.UsageError, match="index must be below the number of examples"):
        model.train_on_batch(whole | {"index": np.arange(4) + 9})
    own = tf.function(
        model.train_step, autograph=False
    )  # in a graph types and shapes alone are known
    with pytest.raises(zoo.UsageError, match="y must hold whole numbers; its dtype was float32"):
        own(whole | {"y": tf.zeros([4])})
    own(whole | {"other": tf.constant("kept")})
    model.train_on_batch(whole)
    assert int(model.training_step) == 2


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("sample_weight", lambda model, w: model.fit(X, sample_weight=w)),
        ("class_weight", lambda model, w: model.fit(X, Y, class_weight=w)),
        ("sample_weight", lambda model, w: model.evaluate(X, sample_weight=w)),
        ("sample_weight", lambda model, w: model.train_on_batch(X, None, w)),
        ("class_weight", lambda model, w: model.train_on_batch(X, class_weight=w)),
        ("sample_weight", lambda model, w: model.test_on_batch(X, None, w)),
        ("sample_weight", lambda model, w: model.train_step((X, Y, w))),
        ("sample_weight", lambda model, w: model.test_step((X, Y, w))),
        ("sample_weight", lambda model, w: model.fit(X, batch_size=4, validation_data=(X, Y, w))),
        ("sample_weight", lambda model, w: model.fit(tf.data.Dataset.from_tensors((X, Y, w)))),
        ("sample_weight", lambda model, w: model.fit(((X, Y, w) for _ in "ab"), steps_per_epoch=1)),
        ("sample_weight", lambda model, w: model.fit(Batches({"x": X, "sample_weight": w}))),
    ],
)
def test_weights_are_refused(name, call):
    with pytest.raises(zoo.UsageError, match=f"{name} must be left out"):
        call(stub(), np.ones(12))


# Data of every kind.


def dataset():
    return tf.data.Dataset.from_tensor_slices({"x": X}).batch(4)


def generator():
    yield from ({"x": X[k : k + 4]} for k in (0, 4, 8))


DATA = {
    "array": lambda: (X, {"batch_size": 4}),
    "list": lambda: (X.tolist(), {"batch_size": 4}),
    "tensor": lambda: (tf.constant(X), {"batch_size": 4}),
    "dictionary": lambda: ({"x": X}, {"batch_size": 4}),
    "pipeline": lambda: (dataset(), {}),
    "pipeline of pairs": lambda: (dataset().map(lambda batch: (batch["x"], 0)), {}),
    "pipeline that never ends": lambda: (dataset().repeat(), {"steps": 3}),
    "PyDataset": lambda: (Batches({"x": X}), {}),
    "PyDataset in threads": lambda: (Batches({"x": X}, workers=2), {}),
    "PyDataset that never ends": lambda: (Endless({"x": X}), {"steps": 3}),
    "generator": lambda: (generator(), {"steps": 3}),
    "generator of arrays": lambda: ((b["x"] for b in generator()), {"steps": 3}),
    "generator of pairs": lambda: (((b["x"], None) for b in generator()), {"steps": 3}),
    "iterator": lambda: (dataset().as_numpy_iterator(), {"steps": 3}),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_of_every_kind(kind):
    model = stub()
    data, arguments = DATA[kind]()
    for_fit = dict(arguments)
    if "steps" in for_fit:
        for_fit["steps_per_epoch"] = for_fit.pop("steps")
    history = model.fit(data, **for_fit, verbose=0).history
    assert int(model.training_step) == 3
    np.testing.assert_allclose(history["first"], X[:, 0].mean(), rtol=1e-6)
    data, arguments = DATA[kind]()
    found = model.evaluate(data, **arguments, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["first"], X[:, 0].mean(), rtol=1e-6)
    assert found["loss"] == -found["bound"] > 0
    data, arguments = DATA[kind]()
    np.testing.assert_array_equal(model.predict(data, **arguments, verbose=0), X)


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (dataset().repeat(), {}, "steps_per_epoch must be given for a pipeline whose end is not"),
        (Endless({"x": X}), {}, "steps_per_epoch must be given for a PyDataset whose end is not"),
        (generator(), {}, "steps_per_epoch must be given for a generator whose end is not known"),
        (dataset(), {"batch_size": 4}, "batch_size must be left out for a pipeline, which has its"),
        (Batches({"x": X}), {"batch_size": 4}, "batch_size must be left out for a PyDataset"),
        (dataset(), {"y": Y}, "y must be left out for a pipeline, which has its own"),
        (dataset().unbatch(), {}, r"the batches' was \[2\]; .batch\(batch_size\) is missing"),
        (dataset(), {"validation_split": 0.5}, "validation_split must be left out for a pipeline"),
        (X, {"validation_split": 1.5}, "validation_split must be between 0 and 1.*it was 1.5"),
        (X, {"validation_split": 0.99}, "leave examples of both kinds; it was 0.99 of 12"),
        (dataset().filter(lambda _: False), {}, "at least one batch"),
        (Batches({"x": np.uint8(255 * X)}), {}, "divide them by 255"),
        (Batches({"x": X}, use_multiprocessing=True), {}, "use_multiprocessing must be False"),
        (
            X,
            {"batch_size": 4, "validation_data": dataset().repeat()},
            "validation_steps must be given",
        ),
        (None, {}, "x must be an array, a dictionary of arrays, a tf.data.Dataset, a Py"),
        (iter([]), {"steps_per_epoch": 1}, "at least one batch; the generator gave none"),
        (X, {"validation_data": []}, r"data must be x or a pair \(x, y\), .*; it was a list of 0"),
        (X, {"validation_data": X.tolist()}, "validation_data must be x or .* a list of 12"),
        (X, {"validation_data": (X, Y[:3])}, "y must be as long as x, 12; it was 3"),
        (X, {"y": Y[:3]}, "y must be as long as x, 12; it was 3"),
        (X, {"y": 1}, "y must be as long as x, 12; it was a single value"),
        (X, {"y": 1, "validation_split": 0.5}, "y must be as long as x, 12; it was a single"),
        (X, {"y": [[1], [1, 2]], "validation_split": 0.5}, "y must be an array; NumPy cannot"),
        (types.SimpleNamespace(train=dataset()), {}, "x must be one pipeline, such as data.train"),
    ],
)
def test_data_that_cannot_be_fitted(data, arguments, message):
    model = stub()
    with pytest.raises(zoo.UsageError, match=message):
        model.fit(data, **({"batch_size": 4} if data is X else {}) | arguments, verbose=0)


def test_an_empty_batch_is_told():
    """In the middle of a pipeline and at its end, where it is no divergence."""
    for place in (1, 2):
        sizes = [4, 4, 4][:place] + [0] + [4][: 2 - place]
        parts = (X[:size] for size in sizes)
        signature = tf.TensorSpec([None, 2])
        given = list(parts)
        data = tf.data.Dataset.from_generator(lambda g=given: iter(g), output_signature=signature)
        for call in (stub().fit, stub().evaluate, stub().predict):
            with pytest.raises(zoo.UsageError, match="x must give at least one example in every"):
                call(data, verbose=0)


class MineError(Exception):
    """Of a user's own code."""


def test_errors_of_own_code_arrive_as_they_are():
    def broken():
        yield from generator()
        raise MineError("a file is gone")

    class Broken(Batches):
        def __getitem__(self, index):
            if index == 2:
                raise MineError("a file is gone")
            return super().__getitem__(index)

    model = stub()
    for data, steps in ((broken(), 5), (Broken({"x": X}), None)):
        with pytest.raises(MineError, match="^a file is gone$"):
            model.fit(data, steps_per_epoch=steps, verbose=0)
        assert not np.isnan(model.mean).any()


def test_validation_split_is_that_of_keras():
    """The last examples, before any are shuffled; others keep their numbers."""
    model = stub("index")
    seen = []
    model.objectives = _noting(model.objectives, seen)
    history = model.fit(
        X, batch_size=4, validation_split=0.3, epochs=2, verbose=0
    ).history  # floor(12 * 0.7) = 8
    np.testing.assert_allclose(history["val_first"], X[8:, 0].mean(), rtol=1e-6)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.repeat(np.arange(8), 2))


def _noting(objectives, seen):
    def noting(batch, *arguments):
        seen.append(batch["index"].numpy())
        return objectives(batch, *arguments)

    return noting


def test_several_epochs_of_a_generator():
    """It goes on from epoch to epoch, and one without any batch is told, not scored."""
    model = stub()
    batches = ({"x": X[k : k + 4]} for k in (0, 4, 8, 0, 4, 8))
    history = model.fit(batches, steps_per_epoch=3, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["first"], [X[:, 0].mean()] * 2, rtol=1e-6)
    with (
        pytest.warns(UserWarning, match="ran out of data"),
        pytest.raises(zoo.UsageError, match="x must give at least one batch in every epoch"),
    ):
        model.fit(generator(), steps_per_epoch=3, epochs=3, verbose=0)


def test_callbacks_of_epochs_reach_a_dataset():
    epochs = []

    class Noting(Batches):
        def on_epoch_end(self):
            epochs.append(len(self.asked))

    stub().fit(Noting({"x": X}), epochs=2, verbose=0)
    assert len(set(epochs)) >= 2


def test_arguments_are_taken_in_the_order_of_keras():
    model = stub()
    history = model.fit(X, Y, 4, 2, 0, None, 0.5).history
    assert len(history["val_loss"]) == 2
    found, expected = ([*inspect.signature(c.fit).parameters] for c in (Stub, keras.Model))
    assert found[:12] == expected[:12]


def test_a_fit_makes_one_iterator_of_arrays(monkeypatch):
    """Each costs as much as many steps of a small model."""
    made, make = [], tf.data.Dataset.__iter__
    monkeypatch.setattr(tf.data.Dataset, "__iter__", lambda self: made.append(1) or make(self))
    stub().fit(X, batch_size=4, epochs=3, verbose=0)
    assert len(made) == 1
