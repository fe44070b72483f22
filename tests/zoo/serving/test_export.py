"""Exports as servers use them: by TensorFlow's own tools, with requests that may be wrong."""

import json
import pathlib
import subprocess
import sys
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

import zoo

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model():
    model = zoo.HMCDLGM.for_data(zoo.data.load("digits"), **zoo.HMCDLGM.tiny)
    model.compile(jit_compile=False)
    return model


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model" / "1"
    zoo.export(model, path)
    return path


@pytest.fixture(scope="module")
def endpoints(path):
    return tf.saved_model.load(str(path)).signatures


@pytest.fixture(scope="module")
def images():
    return next(iter(zoo.data.load("digits", batch_size=300).test))["x"].numpy()


VISIBLE = zoo.data.mask("left", (8, 8, 1))


def test_endpoints_are_traced_once(model, tmp_path, monkeypatch):
    """Which takes most of the time of an export."""
    endpoints, traced = model.signatures(), []

    def counted(name, endpoint):
        return lambda *inputs: traced.append(name) or endpoint(*inputs)

    counting = {name: (counted(name, e), specs) for name, (e, specs) in endpoints.items()}
    monkeypatch.setattr(model, "signatures", lambda: counting)
    zoo.export(model, tmp_path / "export")
    assert traced == list(endpoints)


def test_the_default_is_sample(endpoints):
    seed, number = tf.constant([0, 1]), tf.constant(3)
    first, second = (
        endpoints[name](seed=seed, num_samples=number) for name in ("serving_default", "sample")
    )
    for name in ("x", "mean"):
        np.testing.assert_array_equal(first[name], second[name])


def test_warmup_requests_are_answered(path, endpoints):
    """One for each signature, in the file and the format that TensorFlow Serving reads."""
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    names = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        answer = endpoints[request.model_spec.signature_name](**inputs)
        assert all(np.isfinite(value).all() for value in answer.values())
        names.add(request.model_spec.signature_name)
    assert names == {"sample", "reconstruct", "inpaint", "encode", "log_likelihood"}


def documented(start):
    """The code block of docs/serving.md that begins so."""
    blocks = (ROOT / "docs" / "serving.md").read_text().split("```")[1::2]
    (block,) = [block for block in blocks if block.startswith(start)]
    return block.removeprefix(block.splitlines()[0])


def test_the_documented_grpc_request(endpoints):
    """Word for word, to a server that stands in for TensorFlow Serving."""

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802 (its name in the protocol)
            inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
            answer = predict_pb2.PredictResponse()
            for name, value in endpoints[request.model_spec.signature_name](**inputs).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        names = {}
        exec(documented("python\nimport grpc").replace("8500", str(port)), names)
    finally:
        server.stop(None)
    np.testing.assert_array_equal(names["mean"], np.zeros([2, 8, 8, 1]))  # all was visible


def test_the_documented_rest_request(endpoints, tmp_path):
    command = documented("sh\npython -c").replace("python", sys.executable, 1).splitlines()
    command = "\n".join(line for line in command if not line.startswith("curl"))
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, cwd=tmp_path)
    request = json.loads((tmp_path / "request.json").read_text())
    endpoint = endpoints[request["signature_name"]]
    _, specs = endpoint.structured_input_signature
    inputs = {k: tf.constant(request["inputs"][k], spec.dtype) for k, spec in specs.items()}
    assert np.isfinite(endpoint(**inputs)["mean"]).all()


def test_long_chains_agree_in_distribution(model, endpoints, images, monkeypatch):
    """With other random numbers, those of XLA, and sixty transitions: the means over images."""
    monkeypatch.setattr(model, "compile_chains", True)
    x, visible = images, np.broadcast_to(VISIBLE, images.shape)
    inputs = {"x": x, "visible": visible, "seed": tf.constant([0, 3]), "num_steps": 60}
    answer = endpoints["inpaint"](**{k: tf.constant(v) for k, v in inputs.items()})
    expected = model.inpaint(x, VISIBLE, tf.constant([0, 3]), num_steps=60)
    difference = (answer["mean"].numpy() - expected["mean"])[:, ~VISIBLE]
    assert np.abs(z_scores(difference, 0.0)).max() < 4


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch_size(endpoints, images, batch):
    seed = tf.constant([0, 0])
    for name in ("reconstruct", "encode"):
        answer = endpoints[name](x=tf.constant(images[:batch]), seed=seed)
        assert {len(value) for value in answer.values()} == {batch}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("reconstruct", {"x": np.zeros((2, 8, 9, 1))}, r"x must have the shape \[N, 8, 8, 1\]"),
        ("reconstruct", {"x": np.zeros((2, 64))}, r"x must have the shape \[N, 8, 8, 1\]"),
        ("encode", {"x": np.zeros((0, 8, 8, 1))}, "x must hold at least one example"),
        ("encode", {"x": np.full((2, 8, 8, 1), np.nan)}, r"x must hold finite pixels in \[0, 1\]"),
        ("log_likelihood", {"x": np.full((2, 8, 8, 1), 16.0)}, "x must hold finite pixels"),
        ("inpaint", {"x": np.full((2, 8, 8, 1), np.nan)}, "x must hold finite pixels"),
        ("inpaint", {"visible": np.ones((2, 8, 8), bool)}, "visible must have the shape"),
        ("inpaint", {"visible": np.ones((1, 8, 8, 1), bool)}, "visible must be a batch as long"),
        ("inpaint", {"num_steps": 0}, "num_steps must be greater than 0"),
        ("sample", {"num_samples": -1}, "num_samples must be greater than 0"),
        ("sample", {"seed": [1]}, "seed must have"),
    ],
)
def test_wrong_requests_are_refused_by_name(endpoints, name, changes, message):
    right = {
        "x": np.zeros((2, 8, 8, 1)),
        "visible": np.ones((2, 8, 8, 1), bool),
        "seed": [0, 0],
        "num_steps": 1,
        "num_samples": 1,
    }
    _, specs = endpoints[name].structured_input_signature
    inputs = {k: tf.constant((right | changes)[k], spec.dtype) for k, spec in specs.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        endpoints[name](**inputs)


def test_hidden_pixels_are_not_looked_at(endpoints, images):
    visible = np.broadcast_to(VISIBLE, (3, 8, 8, 1))
    answers = [
        endpoints["inpaint"](
            x=tf.constant(np.where(visible, images[:3], hidden).astype(np.float32)),
            visible=tf.constant(visible),
            seed=tf.constant([0, 0]),
            num_steps=tf.constant(3),
        )["x"]
        for hidden in (0.0, np.nan)
    ]
    np.testing.assert_array_equal(*answers)


def test_export_replaces_only_an_export(model, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(zoo.UsageError, match="path must be new or hold an older export"):
        zoo.export(model, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_export_leaves_the_older_one(model, tmp_path, monkeypatch):
    path = tmp_path / "export"
    path.mkdir()
    (path / "saved_model.pb").write_text("older")
    monkeypatch.setattr(sys.modules["zoo.serving.export"], "_write_warmup", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        zoo.export(model, path)
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
    assert (path / "saved_model.pb").read_text() == "older"
