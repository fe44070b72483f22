"""Pipelines: their order, and what they make of arrays and of pipelines that a user gives."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import IndexField, PixelField
from zoo.core.given import Given
from zoo.core.labels import LabelField
from zoo.core.pipeline import epoch_variable, pipeline

FIELDS = {
    "x": PixelField((2, 3)),
    "y": LabelField(num_classes=3),
    "index": IndexField(num_examples=9),
}
GIVEN = Given(FIELDS)
X = np.linspace(0, 1, 54).reshape(9, 2, 3)
Y = np.array([0, 1, 2, -1, -1, 0, 1, 2, -1])
ELEMENTS = {"x": X, "y": Y, "index": np.arange(9)}


def order(dataset):
    return np.concatenate([element["index"].numpy() for element in dataset])


def gathered(dataset):
    batches = list(dataset.as_numpy_iterator())
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_order_is_a_function_of_seed_and_epoch():
    arrays = {"x": np.arange(20.0)}
    dataset, same, other = (
        pipeline(arrays, 4, seed=seed, drop_remainder=True) for seed in (0, 0, 1)
    )
    orders = []
    for epoch in (0, 1, 2):
        epoch_variable().assign(epoch)
        orders.append(order(dataset))
        np.testing.assert_array_equal(orders[-1], order(dataset))
        np.testing.assert_array_equal(orders[-1], order(same))
        assert not np.array_equal(orders[-1], order(other))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.arange(20))
    epoch_variable().assign(0)
    assert len({tuple(o) for o in orders}) == 3


def test_index_goes_with_its_example():
    arrays = {"x": np.arange(20.0), "y": 10 * np.arange(20)}
    for element in pipeline(arrays, 3, seed=5):
        np.testing.assert_array_equal(element["x"], element["index"].numpy().astype(float))
        np.testing.assert_array_equal(element["y"], 10 * element["index"].numpy())


def test_arrays_become_batches_of_the_fields():
    for x, y in ((X, Y), ({"x": X, "y": Y}, None), (ELEMENTS | {"other": "text"}, None)):
        dataset = GIVEN.batches(x, y, 4)
        assert dataset.cardinality() == 3
        batch = gathered(dataset)
        assert {name: values.dtype.name for name, values in batch.items()} == {
            "x": "float32",
            "y": "int32",
            "index": "int32",
        }
        for name, values in ELEMENTS.items():
            np.testing.assert_array_equal(batch[name], values.astype(batch[name].dtype))
    shuffled = GIVEN.batches(X, Y, 4, seed=1, training=True)
    assert shuffled.cardinality() == 2, "full batches alone"
    batch = gathered(shuffled)
    assert not np.array_equal(batch["index"], np.arange(8))
    np.testing.assert_array_equal(batch["y"], Y[batch["index"]])


def test_numbers_of_examples_that_a_user_gives_are_kept():
    given = ELEMENTS | {"index": np.arange(9)[::-1]}
    batch = gathered(GIVEN.batches(given, None, 3, training=True))
    np.testing.assert_array_equal(batch["index"], given["index"])


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (None, None, {}, "x must be an array, a dictionary of arrays, a tf.data.Dataset, a Py"),
        ({"images": X}, None, {}, "x must be a key of the dictionary of arrays"),
        (X, None, {}, "y must be given, which the model takes; it was missing"),
        (X, Y[:3], {}, "y must be as long as x, 9; it was 3"),
        (X, Y + 1, {}, "y must hold labels from 0 to 2, or -1 for not labelled"),
        (255 * X, Y, {}, r"x must hold pixels in \[0, 1\]; they run from 0 to 255"),
        (X, Y, {"batch_size": 0}, "batch_size must be greater than 0; it was 0"),
        (X, Y, {"batch_size": 2.5}, "batch_size must be a whole number; it was 2.5"),
        (X, Y, {"training": True}, "x must fill at least one batch of batch_size=32; it had 9"),
    ],
)
def test_what_arrays_may_not_be(x, y, options, message):
    with pytest.raises(zoo.UsageError, match=message):
        GIVEN.batches(x, y, **options)


def elements(*names, **changes):
    given = {name: (ELEMENTS | changes)[name] for name in names or ELEMENTS}
    return tf.data.Dataset.from_tensor_slices(given).batch(4)


def generated(**changes):
    """A pipeline of unknown shapes."""
    given = ELEMENTS | changes
    signature = {name: tf.TensorSpec(None, values.dtype) for name, values in given.items()}
    return tf.data.Dataset.from_generator(lambda: iter([given]), output_signature=signature)


def test_pipelines_give_the_fields_and_what_else_they_bring():
    pairs = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    assert set(gathered(GIVEN.batches(pairs, None))) == {"x", "y"}
    more = elements().map(lambda e: e | {"other": e["x"]})
    for dataset in (more, generated()):
        checked = GIVEN.batches(dataset, None, training=True)
        assert checked.element_spec["x"].shape[1:] == (2, 3)
        batch = gathered(checked)
        assert set(batch) == set(dataset.element_spec)
        for name, values in ELEMENTS.items():
            np.testing.assert_array_equal(batch[name], values.astype(FIELDS[name].dtype))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (elements().take(0), "x must hold at least one batch; the pipeline was empty"),
        (elements("y"), r"x must be a key of the batches; they had \['y'\]"),
        (elements("x", "y"), "x must give dictionaries with index, each example's number"),
        (elements("x", "index"), "x must give dictionaries with y, which the model takes"),
        (elements().unbatch(), r"x must have the shape \[N, 2, 3\]; the batches' was \[2, 3\]"),
        (elements(x=X[..., 0]), r"x must have the shape \[N, 2, 3\]; the batches' was \[None, 2"),
        (elements(x=X.astype(str)), "x must hold numbers; its dtype was object"),
        (elements(y=Y + 0.5), "y must hold whole numbers; its dtype was float64"),
        (elements(x=255 * X), r"x must hold finite pixels in \[0, 1\]; the pipeline gave others"),
        (elements(x=X * np.nan), "x must hold finite pixels"),
        (elements(y=Y + 1), "y must hold labels from 0 to 2, or -1 for not labelled"),
        (elements(index=np.arange(1, 10)), "index must be below the number of examples"),
        (generated(x=X[..., 0]), r"x must have the shape \[N, 2, 3\]; the pipeline gave others"),
        (tf.data.Dataset.from_tensors((X, Y, Y)), "sample weights are not used"),
    ],
)
def test_what_pipelines_may_not_give(dataset, message):
    with pytest.raises(zoo.UsageError, match=message), GIVEN.errors():
        gathered(GIVEN.batches(dataset, None, training=True))


def test_a_pipeline_has_a_batch_size_of_its_own():
    with pytest.raises(zoo.UsageError, match="batch_size must be left out for a pipeline"):
        GIVEN.batches(elements(), None, 4)


def test_other_errors_of_a_pipeline_stay_what_they_are():
    broken = elements().map(lambda e: e | {"x": tf.debugging.check_numerics(e["x"] / 0, "mine")})
    with pytest.raises(tf.errors.InvalidArgumentError, match="mine"), GIVEN.errors():
        gathered(GIVEN.batches(broken, None))
