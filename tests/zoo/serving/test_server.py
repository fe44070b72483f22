"""The HTTP server: TensorFlow Serving's shapes, by its own messages; limits; hostile requests."""

import http.client
import json
import logging
import random
import threading
import time
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf
from asking import ask, ask_json
from google.protobuf import json_format
from serving import with_signatures
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

import zoo
from zoo.core import registry
from zoo.core.checks import UsageError
from zoo.serving.guard import Limits
from zoo.serving.served import Served, serve_export, serve_model
from zoo.serving.server import BusyError, Workers, hosts_of, make_app, running

LIMITS = Limits(max_batch=8, max_steps=50, max_body=100_000, max_queue=4)
SEED = [3, -7]


@pytest.fixture(scope="module")
def model(digits):
    method = registry.methods()["HMCDLGM"]
    model = method.cls.for_data(digits, **method.tiny)
    return with_signatures(model, "sample", "reconstruct", "inpaint")


@pytest.fixture(scope="module")
def export(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "export"
    zoo.export(model, path)
    return serve_export("export", path)


@pytest.fixture(scope="module")
def signatures(export):
    """As TensorFlow loads them."""
    return export.loaded.signatures


@pytest.fixture(scope="module")
def address(model, export):
    models = [serve_model("model", model), export]
    origins = ["https://friend.org"]
    hosts = hosts_of("127.0.0.1", origins)
    with running(make_app(models, limits=LIMITS, origins=origins, hosts=hosts)) as address:
        yield address


@pytest.fixture(scope="module")
def inputs(images):
    visible = np.broadcast_to(zoo.data.mask("left", (8, 8, 1)), (3, 8, 8, 1))
    return {"x": images[:3], "visible": visible, "seed": np.array(SEED), "num_steps": 5}


def plain(inputs):
    return {k: np.asarray(v).tolist() for k, v in inputs.items()}


def predict(address, body, name="export", **kwargs):
    return ask_json(address, f"/v1/models/{name}:predict", body, **kwargs)


def test_columns_have_the_bytes_of_the_saved_model(address, signatures, inputs):
    body = {"signature_name": "inpaint", "inputs": plain(inputs)}
    dtypes = {"x": tf.float32, "visible": tf.bool}
    given = {k: tf.constant(v, dtypes.get(k, tf.int32)) for k, v in inputs.items()}
    expected = signatures["inpaint"](**given)
    for name in ("export", "model"):
        status, answer = predict(address, body, name)
        assert status == 200
        assert answer["outputs"].keys() == expected.keys()
        for key, value in expected.items():
            got = np.array(answer["outputs"][key], value.dtype.as_numpy_dtype)
            np.testing.assert_array_equal(got, value.numpy())


def test_rows_are_columns(address, inputs):
    columns = plain(inputs)
    _, by_column = predict(address, {"signature_name": "inpaint", "inputs": columns})
    rows = [columns | {k: columns[k][i] for k in ("x", "visible")} for i in range(3)]
    status, by_row = predict(address, {"signature_name": "inpaint", "instances": rows})
    assert status == 200
    for i, row in enumerate(by_row["predictions"]):
        assert row == {name: values[i] for name, values in by_column["outputs"].items()}


def test_the_default_signature_and_versions(address):
    body = {"inputs": {"num_samples": 2, "seed": SEED}}
    first = predict(address, body)
    assert first[0] == 200
    assert len(first[1]["outputs"]["x"]) == 2
    for signature in ("sample", "serving_default", ""):
        assert predict(address, body | {"signature_name": signature}) == first
    assert ask_json(address, "/v1/models/export/versions/1:predict", body) == first
    status, answer = ask_json(address, "/v1/models/export/versions/2:predict", body)
    assert (status, answer["error"]) == (404, "version must be 1; it was '2'.")


def test_status_and_metadata_are_the_published_messages(address, signatures):
    _, status = ask_json(address, "/v1/models/export")
    parsed = json_format.ParseDict(status, get_model_status_pb2.GetModelStatusResponse())
    (version,) = parsed.model_version_status
    assert (version.version, version.state, version.status.error_code) == (1, 30, 0)
    code, answer = ask_json(address, "/v1/models/export/metadata")
    assert code == 200
    assert answer["model_spec"] == {"name": "export", "signature_name": "", "version": "1"}
    empty = get_model_metadata_pb2.SignatureDefMap()
    parsed = json_format.ParseDict(answer["metadata"]["signature_def"], empty).signature_def
    assert set(parsed) == set(signatures)
    for key, function in signatures.items():
        for info, specs in (
            (parsed[key].inputs, function.structured_input_signature[1]),
            (parsed[key].outputs, function.structured_outputs),
        ):
            assert set(info) == set(specs)
            for one, spec in specs.items():
                assert tf.as_dtype(info[one].dtype) == spec.dtype
                assert tf.TensorShape(info[one].tensor_shape).as_list() == spec.shape.as_list()


SAMPLE = {"num_samples": 2, "seed": SEED}
REFUSED = [
    ({"inputs": SAMPLE | {"num_samples": 9}}, "num_samples must be at most 8 in a request"),
    ({"inputs": SAMPLE | {"num_samples": 0}}, "num_samples must be greater than 0; it was [0]."),
    ({"inputs": SAMPLE | {"num_samples": "2"}}, "num_samples must hold numbers of int32"),
    ({"inputs": SAMPLE | {"num_samples": [2]}}, "num_samples must have the shape []"),
    ({"inputs": SAMPLE | {"seed": [0, 2**40]}}, "seed must hold numbers of int32; one is out of"),
    ({"inputs": {"seed": SEED}}, "num_samples must be given"),
    ({"inputs": SAMPLE | {"nmu": 1}}, "inputs: there is no 'nmu'"),
    ({"inputs": [[1]]}, "inputs must be given by name"),
    ({"inputs": SAMPLE, "instances": []}, "body must hold either instances"),
    ({"instances": []}, "instances must be a list of at least one row"),
    ({"instances": [SAMPLE] * 9}, "instances must be at most 8 rows in a request; they were 9."),
    ({"inputs": {"\ud800": [0] * 9}}, "inputs: there is no '\\ud800'"),
    ({"instances": [{"\ud800": 1}, {"\ud800": 2}]}, "inputs: there is no '\\ud800'"),
    ({"inputs": SAMPLE, "signature_name": "s" * 10**4}, "unknown value of 10000 letters"),
    ({"inputs": SAMPLE, "s" * 10**4: 1}, "it held 'sssss"),
    ({"instances": [SAMPLE, SAMPLE | {"seed": [0, 0]}]}, "seed must be the same in all"),
    ({"instances": [SAMPLE, {}]}, "instances must be rows of the same inputs"),
    ({"inputs": SAMPLE, "signature": "x"}, "body must hold nothing but signature_name"),
    ({"inputs": SAMPLE, "signature_name": 3}, "signature_name must be a name"),
    ({"inputs": SAMPLE, "signature_name": "sampel"}, "did you mean 'sample'?"),
    ([], "body must be a JSON object; it was a list"),
    (b"", "body must be a JSON object in UTF-8"),
    (b"[" * 90_000, "nested too deeply"),
    (b"\xff\xfe", "body must be a JSON object in UTF-8"),
    (b'{"inputs": ' + b"1" * 5000 + b"}", "a number has 5000 digits"),
]


@pytest.mark.parametrize(("body", "sentence"), REFUSED)
def test_a_mistake_is_one_sentence(body, sentence, address):
    status, answer = predict(address, body)
    assert status == 400
    assert sentence in answer["error"] and len(answer["error"]) < 300


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x": [[[[0.5]]]]}, "x must have the shape [N, 8, 8, 1]"),
        ({"x": [[0.5, [1]]]}, "x must hold numbers of float32, in rows of equal lengths"),
        ({"x": np.full([3, 8, 8, 1], np.nan).tolist()}, "x must hold finite pixels in [0, 1]"),
        ({"x": np.full([3, 8, 8, 1], 1e300).tolist()}, "x must hold numbers of float32; one is"),
        ({"x": np.zeros([9, 8, 8, 1]).tolist()}, "x must be at most 8 in a request; it was 9"),
        ({"visible": np.zeros([3, 8, 8, 1]).tolist()}, "visible must hold numbers of bool"),
        ({"num_steps": 51}, "num_steps must be at most 50 in a request; it was 51"),
    ],
)
def test_a_field_is_refused_by_its_name(change, sentence, address, inputs):
    given = plain(inputs) | {"visible": np.ones([3, 8, 8, 1], bool).tolist()} | change
    status, answer = predict(address, {"signature_name": "inpaint", "inputs": given})
    assert status == 400
    assert sentence in answer["error"]


def test_who_may_ask(address):
    def status(path="/v1/models/export", **headers):
        code, told, _ = ask(address, path, headers=headers)
        assert "set-cookie" not in {name.lower() for name in told}
        return code, told.get("access-control-allow-origin")

    assert status() == (200, None)
    assert status(Origin=address) == (200, None)
    assert status(Origin="https://friend.org") == (200, "https://friend.org")
    assert status(Origin="https://evil.org") == (403, None)
    assert status(Host="evil.org") == (400, None)  # whose name leads here
    assert status(Host="LocalHost:80") == status(Host="friend.org") == (200, None)
    code, told, _ = ask(address, "/", method="OPTIONS", headers={"Origin": "https://friend.org"})
    assert (code, told["access-control-allow-methods"]) == (204, "GET, POST")
    assert status("/v1/models/none") == (404, None)
    assert status("/nowhere") == (404, None)


def test_what_is_too_large_or_packed(address):
    assert predict(address, b" " * 100_001)[0] == 413
    assert predict(address, b"{}", headers={"Content-Encoding": "gzip"})[0] == 415
    pieces = (b" " * 20_000 for _ in range(6))  # which tell no length
    status, _, body = ask(address, "/v1/models/export:predict", pieces, "POST")
    assert (status, json.loads(body)["error"]) == (413, "body must be of at most 100000 bytes.")


def hostile(rng):
    """A body that no request is."""
    good = {"signature_name": "reconstruct", "inputs": {"x": [[[[0.0]] * 8] * 8], "seed": SEED}}
    text = json.dumps(good)
    wrong = ["", None, True, {}, [], -1, 1e308, "NaN", "9" * 99, [[]], {"b64": "AA=="}, [None], "x"]

    def changed():
        body = json.loads(text)
        at = rng.choice(["x", "seed"])
        value = rng.choice(wrong)
        if rng.random() < 0.3:
            at += rng.choice(["\ud800", "\0", "x" * 99, " "])
        body["inputs"][at] = value
        return json.dumps(body).encode()

    def deep():
        depth = rng.randrange(2, 20_000)
        return b'{"inputs": ' + b"[" * depth + b"]" * rng.choice([depth, depth - 1]) + b"}"

    def cut():
        return text[: rng.randrange(len(text))].encode()

    def flipped():
        body = bytearray(text.encode())
        for _ in range(rng.randrange(1, 9)):
            body[rng.randrange(8)] = rng.randrange(128, 256)
        return bytes(body)

    def encoded():
        return text.encode(rng.choice(["utf-16", "utf-32", "cp037"]))

    def large():
        return b'{"inputs": {"x": [' + b"0," * rng.randrange(1000, 60_000) + b"0]}}"

    def number():
        value = rng.choice(["NaN", "Infinity", "-Infinity", "1e999", "7", "-0.1"])
        return text.replace("0.0", value, 1).encode()

    return rng.choice([changed, deep, cut, flipped, encoded, large, number])()


def test_hostile_bodies_are_refused_and_the_server_lives(address):
    rng = random.Random(0)
    for _ in range(500):
        body = hostile(rng)
        status, answer = predict(address, body)
        assert 400 <= status < 500, (body[:200], answer)
        assert answer["error"].endswith("."), answer
    assert ask_json(address, "/health") == (200, {"status": "alive"})


def test_too_many_requests_are_sent_away():
    workers, event = Workers(Limits(max_queue=2, num_threads=1)), threading.Event()
    waiting = [workers.start(event.wait) for _ in range(2)]
    with pytest.raises(BusyError):
        workers.start(event.wait)
    event.set()
    assert all(future.result() for future in waiting)
    assert workers.start(int).result() == 0
    workers.close()


@pytest.fixture
def slow():
    """A server of one thread whose model answers when it is let go, and what lets it go."""
    event, begun = threading.Event(), []

    def answer(x):
        begun.append(x.numpy().tolist())
        event.wait(30)
        return {"x": x}

    served = Served("slow", {"wait": {"x": tf.TensorSpec([None], name="x")}}, lambda _: answer)
    limits = Limits(max_queue=2, num_threads=1)
    with running(make_app([served], limits=limits)) as address:
        yield address, event, begun
        event.set()


def until(found):
    end = time.monotonic() + 10
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_who_has_gone_is_not_waited_for(slow):
    """What waits for a client that has closed its connection is not computed."""
    address, event, begun = slow
    clients, answers = [], []
    for number in range(2):
        client = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
        body = json.dumps({"inputs": [number]})
        client.request("POST", "/v1/models/slow:predict", body)
        clients.append(client)
        until(lambda: begun)
        time.sleep(0.1)
    assert predict(address, {"inputs": [7]}, "slow")[0] == 429
    clients[1].close()

    def ask_again():
        answers.append(predict(address, {"inputs": [2]}, "slow"))
        return answers[-1][0] != 429

    threading.Timer(0.5, event.set).start()
    until(ask_again)
    assert answers[-1] == (200, {"outputs": [2.0]})
    assert json.loads(clients[0].getresponse().read()) == {"outputs": [0.0]}
    assert begun == [[0.0], [2.0]]
    for client in clients:
        client.close()


def test_counters_and_lines(address, caplog):
    with caplog.at_level(logging.INFO, "zoo.serving"):
        assert predict(address, {"inputs": SAMPLE})[0] == 200
        until(lambda: "examples" in caplog.text)  # the line comes after the answer
    (line,) = [r.message for r in caplog.records if "examples" in r.message]
    told = json.loads(line)
    assert (told["status"], told["signature"], told["examples"]) == (200, "sample", 2)
    told = ask(address, "/monitoring/prometheus/metrics")[2].decode()
    assert 'zoo_examples_total{model="export",signature="sample"}' in told
    assert 'zoo_requests_total{route="/v1/models/{name}:predict",status="400"}' in told
    assert ask_json(address, "/ready")[1]["models"] == ["model", "export"]


def test_what_cannot_be_served(model, tmp_path):
    with pytest.raises(UsageError, match="export: there is no SavedModel"):
        serve_export("a", tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no")
    with pytest.raises(UsageError, match="cannot be loaded"):
        serve_export("a", tmp_path)
    one = serve_model("a", model)
    with pytest.raises(UsageError, match="models must have names of their own"):
        make_app([one, one])
