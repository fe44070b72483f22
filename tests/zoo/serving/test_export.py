"""Exports of a model that takes inputs of every kind, and what they refuse by name."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import zoo
from zoo.core.fields import PixelField
from zoo.core.generative import Endpoint
from zoo.core.labels import LabelField
from zoo.core.request_fields import CountField, MaskField, SeedField
from zoo.serving import concrete_functions

INPUTS = {
    "x": PixelField((2, 3)),
    "y": LabelField(num_classes=4),
    "visible": MaskField((2, 3)),
    "num_steps": CountField(),
    "seed": SeedField(),
}


class Model:
    """What `zoo.export` asks of a model; the endpoints do little, and count their traces."""

    def __init__(self):
        self.scale, self.traced = tf.Variable(2.0), []
        self.score_seed, self.prepared = 0, []

    def prepare_for_scores(self, seed):
        self.prepared.append(seed)

    def signatures(self):
        def draw(num_samples, seed):
            self.traced.append("draw")
            noise = tf.random.stateless_uniform([num_samples, 2], seed)
            return {"x": self.scale * noise, "mean": tf.fill([num_samples, 2], self.scale)}

        def complete(x, y, visible, num_steps, seed):
            self.traced.append("complete")
            hidden = tf.cast(y[:, None, None] + num_steps, tf.float32)
            return {"x": tf.where(visible, x, hidden), "seen": x}

        numbers = {"num_samples": CountField(), "seed": SeedField()}
        return {"draw": Endpoint(draw, numbers), "complete": Endpoint(complete, INPUTS)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model" / "1"
    zoo.export(Model(), path)
    return path


@pytest.fixture(scope="module")
def endpoints(path):
    return tf.saved_model.load(str(path)).signatures


RIGHT = {
    "x": np.full((2, 2, 3), 0.5),
    "y": [-1, 3],
    "visible": np.ones((2, 2, 3), bool),
    "num_steps": 1,
    "num_samples": 1,
    "seed": [0, 0],
}


def ask(endpoint, **changes):
    unnamed, named = endpoint.structured_input_signature
    specs = named or {spec.name: spec for spec in unnamed}
    return endpoint(**{k: tf.constant((RIGHT | changes)[k], s.dtype) for k, s in specs.items()})


def test_endpoints_are_traced_once(tmp_path):
    """Which takes most of the time of an export."""
    model = Model()
    zoo.export(model, tmp_path / "export")
    assert model.traced == ["draw", "complete"] and model.prepared == [0]


@pytest.mark.parametrize("source", ["file", "process"])
def test_answers(endpoints, source):
    """The functions of an export are those of this process; the first is the default, too."""
    found = endpoints if source == "file" else concrete_functions(Model())
    drawn = ask(found["draw"], num_samples=3, seed=[4, 5])
    expected = 2 * tf.random.stateless_uniform([3, 2], [4, 5])
    np.testing.assert_array_equal(drawn["x"], expected)
    np.testing.assert_array_equal(drawn["mean"], np.full([3, 2], 2.0))
    for batch in (1, 2, 5):
        shape = (batch, 2, 3)
        x = np.linspace(0, 1, 6 * batch, dtype=np.float32).reshape(shape)
        visible, y = x < 0.5, np.arange(batch) % 4
        answer = ask(found["complete"], x=x, y=y, visible=visible, num_steps=7)
        np.testing.assert_array_equal(answer["x"], np.where(visible, x, y[:, None, None] + 7))
    if source == "file":
        default = ask(endpoints["serving_default"], num_samples=3, seed=[4, 5])
        np.testing.assert_array_equal(default["x"], expected)


def test_hidden_pixels_are_not_looked_at(endpoints):
    visible = np.array([True, False, True, True, False, True]).reshape(1, 2, 3).repeat(2, 0)
    x = np.where(visible, 0.5, np.nan)
    np.testing.assert_array_equal(
        ask(endpoints["complete"], x=x, visible=visible)["seen"], np.where(visible, 0.5, 0)
    )


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("complete", {"x": np.zeros((2, 3, 2))}, r"x must have the shape \[N, 2, 3\]"),
        ("complete", {"x": np.zeros((2, 6))}, r"x must have the shape \[N, 2, 3\]"),
        ("complete", {"x": np.zeros((0, 2, 3))}, "x must hold at least one example"),
        ("complete", {"x": np.full((2, 2, 3), np.nan)}, r"x must hold finite pixels in \[0, 1\]"),
        ("complete", {"x": np.full((2, 2, 3), 16.0)}, "x must hold finite pixels"),
        ("complete", {"visible": np.ones((2, 2), bool)}, "visible must have the shape"),
        ("complete", {"visible": np.ones((1, 2, 3), bool)}, "visible must be a batch as long as x"),
        ("complete", {"y": [4, 0]}, "y must hold labels from 0 to 3, or -1"),
        ("complete", {"y": [-2, 0]}, "y must hold labels from 0 to 3, or -1"),
        ("complete", {"y": [1, 2, 3]}, "y must be a batch as long as x"),
        ("complete", {"num_steps": 0}, "num_steps must be greater than 0"),
        ("draw", {"num_samples": -1}, "num_samples must be greater than 0"),
        ("complete", {"num_steps": [1]}, r"num_steps must have the shape \[\]; it was.*\[1\]"),
        ("complete", {"seed": [1]}, r"seed must have the shape \[2\]; it was.*\[1\]"),
        ("draw", {"seed": [[1, 2]]}, r"seed must have the shape \[2\]; it was.*\[1 2\]"),
    ],
)
def test_wrong_requests_are_refused_by_name(endpoints, name, changes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ask(endpoints[name], **changes)


def test_warmup_requests_are_answered(path, endpoints):
    """One for each signature, in the file and the format that TensorFlow Serving reads."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    names = []
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        answer = endpoints[request.model_spec.signature_name](**inputs)
        assert all(np.isfinite(value).all() for value in answer.values())
        names.append(request.model_spec.signature_name)
    assert names == ["draw", "complete"]


def test_export_replaces_only_an_export(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(zoo.UsageError, match="path must be new or hold an older export"):
        zoo.export(Model(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    export = tmp_path / "export"
    export.mkdir()
    (export / "saved_model.pb").write_text("older")
    zoo.export(Model(), export)
    assert (export / "saved_model.pb").read_bytes() != b"older"
    assert {p.name for p in tmp_path.iterdir()} == {"export", "notes.txt"}


def test_a_failed_export_leaves_the_older_one(tmp_path, monkeypatch):
    path = tmp_path / "export"
    path.mkdir()
    (path / "saved_model.pb").write_text("older")
    monkeypatch.setattr(sys.modules["zoo.serving.export"], "_write_warmup", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        zoo.export(Model(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
    assert (path / "saved_model.pb").read_text() == "older"


def test_an_input_of_a_single_example_is_checked(tmp_path):
    """Its shape, too, which the signature knows; broadcasting would hide that it is another."""
    endpoint = Endpoint(
        lambda x: {"x": x + tf.zeros([2, 3])}, {"x": PixelField((2, 3), batched=False)}
    )
    model = Model()
    model.signatures = lambda: {"sample": endpoint}
    zoo.export(model, tmp_path / "export")
    sample = tf.saved_model.load(str(tmp_path / "export")).signatures["sample"]
    x = tf.constant(RIGHT["x"][0], tf.float32)
    np.testing.assert_array_equal(sample(x=x)["x"], x)
    for wrong, message in (
        (2 * x + 1, "x must hold finite pixels"),
        (x[:1], r"x must have the shape \[2, 3\]; it was.*\[1 3\]"),
        (x[0], r"x must have the shape \[2, 3\]; it was.*\[3\]"),
        (x[0, 0], r"x must have the shape \[2, 3\]; it was.*\[\]"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            sample(x=wrong)
