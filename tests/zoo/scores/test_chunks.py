"""Collecting examples, binarising them once, and running programs over chunks of them."""

import signal
import types

import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from interrupting import press

import samplers
import zoo
from zoo.core import signals
from zoo.core.fields import IndexField, PixelField
from zoo.core.labels import LabelField
from zoo.scores.chunks import collect, collect_batch, in_chunks, kept_in, preprocessed

X = np.random.default_rng(0).random((10, 2, 3), dtype=np.float32)
Y = np.arange(-1, 9, dtype=np.int32)


class Labelled:
    """What is asked of a model: fields, one of which is for training alone, and a threshold."""

    fields = {
        "x": PixelField((2, 3)),
        "y": LabelField(num_classes=9),
        "index": IndexField(num_examples=5),
    }

    @staticmethod
    def without_answers(batch):
        return batch

    @staticmethod
    def preprocess(batch, seed):
        u = samplers.uniform(tf.shape(batch["x"]), seed)
        return batch | {"x": tf.cast(u < batch["x"], tf.float32)}


UNLABELLED = types.SimpleNamespace(fields={"x": PixelField((2, 3))})


def pipeline(*elements):
    return tf.data.Dataset.from_tensor_slices(elements[0] if len(elements) == 1 else elements)


@pytest.mark.parametrize(
    "data",
    [
        {"x": X, "y": Y, "index": Y, "other": Y},
        (X, Y),
        pipeline(X, Y).batch(4),
        pipeline({"x": X, "y": Y, "index": Y}).batch(3),
    ],
)
def test_all_fields_that_inference_takes_are_collected(data):
    batch = collect_batch(Labelled, data)
    assert batch.keys() == {"x", "y"}
    np.testing.assert_array_equal(batch["x"], X)
    np.testing.assert_array_equal(batch["y"], Y)
    first = collect_batch(Labelled, data, 5)
    np.testing.assert_array_equal(first["x"], X[:5])
    np.testing.assert_array_equal(first["y"], Y[:5])


@pytest.mark.parametrize("data", [X, (X, Y), pipeline(X).batch(4)])
def test_images_alone(data):
    np.testing.assert_array_equal(collect(UNLABELLED, data, 7), X[:7])


def test_no_more_of_a_pipeline_is_read_than_needed():
    read = []
    data = pipeline(X).map(lambda x: (tf.py_function(lambda: read.append(1), [], []), x)[1])
    collect(UNLABELLED, data.batch(2), 3)
    assert len(read) < 10


@pytest.mark.parametrize(
    ("model", "data", "num_images", "message"),
    [
        (UNLABELLED, X, 11, "num_images must be at most 10, all of them; it was 11"),
        (UNLABELLED, X, 0, "num_images must be greater than 0; it was 0"),
        (UNLABELLED, 2 * X, None, r"pixels in \[0, 1\]; they run from"),
        (UNLABELLED, X[:, 0], None, r"must have the shape \[N, 2, 3\]; it was \[10, 3\]"),
        (UNLABELLED, pipeline(X).batch(4).take(0), None, "the pipeline was empty"),
        (Labelled, X, None, "y must be given, which the model takes; it was missing"),
        (Labelled, (X, Y + 1), None, "y must hold labels from 0 to 8, or -1"),
    ],
)
def test_what_is_refused(model, data, num_images, message):
    with pytest.raises(zoo.UsageError, match=message):
        collect_batch(model, data, num_images)


def test_binary_images_are_a_function_of_the_seed():
    one, two, other = (preprocessed(Labelled, {"x": X, "y": Y}, seed) for seed in (0, 0, 1))
    assert set(np.unique(one["x"])) == {0, 1}
    np.testing.assert_array_equal(one["x"], two["x"])
    np.testing.assert_array_equal(one["y"], Y)
    assert not np.array_equal(one["x"], other["x"])


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 10, 100])
def test_chunks_of_any_size(chunk_size):
    x = np.arange(10.0)
    shapes = set()

    def run(batch, index):
        shapes.add(batch["x"].shape[0])
        return batch["x"], tf.stack([index, 2 * index])

    one, two = in_chunks(run, ({"x": x}, 3 * x), chunk_size, "", verbose=False)
    np.testing.assert_array_equal(one, x)
    np.testing.assert_array_equal(two, [3 * x, 6 * x])
    assert shapes == {min(chunk_size, 10)}


@tf.function
def moments(batch, index):
    if tf.executing_eagerly():  # and not traced, which tells the structure
        RUN.append(1)
    return {"sum": tf.reduce_sum(batch["x"], [1, 2]), "twice": (2 * index, index[None] ** 2)}


RUN = []


def both(folder, **kwargs):
    """Two calls of some chunks each, as a score makes them."""
    with kept_in(folder):
        arrays = ({"x": X}, np.arange(10))
        return [in_chunks(moments, arrays, size, "", verbose=False) for size in (4, 3)]


def test_chunks_that_were_kept_are_not_run_again(tmp_path):
    """Whichever are there; a damaged one is, and the structure is known without any."""
    expected = [in_chunks(moments, ({"x": X}, np.arange(10)), k, "", False) for k in (4, 3)]
    with eagerly():
        for removed in (range(7), range(0), range(2, 3), range(3), range(5, 7)):
            kept = sorted(tmp_path.iterdir())
            for k in removed:
                kept and (kept[k].write_bytes(b"PK") if k % 2 else kept[k].unlink())
            RUN.clear()
            found = both(tmp_path)
            assert len(RUN) == len(removed)
            tf.nest.map_structure(np.testing.assert_array_equal, found, expected)
    assert len(list(tmp_path.iterdir())) == 3 + 4


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_chunk(signum, tmp_path):
    """However often: each time at least one more is kept."""
    for num_kept in range(1, 7):

        def run(x):
            if len(list(tmp_path.iterdir())) == num_kept - 1:  # noqa: B023
                press(signum)
            return tf.reduce_sum(x, [1, 2])

        with eagerly(), pytest.raises(signals.Interrupted) as end, kept_in(tmp_path):
            in_chunks(tf.function(run), (X,), 2, "", False)
            in_chunks(tf.function(run), (X,), 5, "", False)
        assert end.value.signum == signum and len(list(tmp_path.iterdir())) == num_kept


@pytest.mark.parametrize(("chunk", "last"), [(0, ""), (1, ", of which the last took 0 s")])
def test_a_signal_tells_how_long_a_chunk_takes(chunk, last, tmp_path, capsys):
    """Whoever cannot wait for so long is told, too, what to do."""

    def run(x):
        if len(list(tmp_path.iterdir())) == chunk:
            press(signal.SIGTERM)
        return tf.reduce_sum(x, [1, 2])

    with eagerly(), pytest.raises(signals.Interrupted), kept_in(tmp_path):
        in_chunks(tf.function(run), (X,), 2, "", False)
    line = f"SIGTERM: ends when this chunk of images is done{last}; once more ends at once.\n"
    assert capsys.readouterr().err == line
