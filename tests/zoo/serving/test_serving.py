"""Exports as servers ask them, without the project: by TensorFlow's own tools, and from C.

saved_model_cli asks all models, in `slow`; that the functions of each model's export give
its own answers is a clause of the contract.
"""

import contextlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from serving import run_alone, with_signatures
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import zoo
from zoo.core import registry
from zoo.core.abilities import defines

ROOT = pathlib.Path(__file__).parents[3]
ONE = "HMCDLGM"
COMPLETING = [n for n, m in registry.methods().items() if defines(m.cls, "inpaint")]


@pytest.fixture(scope="module")
def exported(digits, images, tmp_path_factory):
    """By name: a model, the path of its export, and a request for each of two signatures."""
    made = {}

    def export(name):
        if name not in made:
            path = tmp_path_factory.mktemp(name) / "export"
            method = registry.methods()[name]
            model = method.cls.for_data(digits, **method.tiny)
            model = with_signatures(model, "sample", "inpaint")
            model.compile(jit_compile=False)
            zoo.export(model, path)
            made[name] = model, path, requests(model, images[:4])
        return made[name]

    return export


def requests(model, x):
    signatures, (visible,) = model.signatures(), zoo.data.completion_masks(model).values()
    given = {
        "x": x,
        "x_visible": x[0],
        "visible": np.broadcast_to(visible, x.shape),
        "seed": np.array([0, 3], np.int32),
        "num_samples": np.array(3, np.int32),
        "num_steps": np.array(5, np.int32),
    }
    return {
        name: {key: given[key] for key in signatures[name].inputs} for name in ("sample", "inpaint")
    }


def answers(path, requests):
    """What the signatures say, in Python."""
    signatures = tf.saved_model.load(str(path)).signatures
    return {
        name: signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        for name, inputs in requests.items()
    }


def assert_answered(got, path, requests):
    """As by Python, and what is visible is as it was."""
    for signature, outputs in answers(path, requests).items():
        for name, value in got[signature].items():
            np.testing.assert_allclose(value, outputs[name], atol=1e-5)
    x, visible = requests["inpaint"]["x"], requests["inpaint"]["visible"]
    for value in (got["inpaint"]["x"], got["inpaint"]["mean"]):
        np.testing.assert_array_equal(value[visible], x[visible])
        assert not np.array_equal(value, x)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETING)
def test_saved_model_cli(name, exported, tmp_path):
    """In a process that finds neither the project nor Keras."""
    _, path, requests = exported(name)
    program = "from tensorflow.python.tools import saved_model_cli as cli; cli.main()"
    inputs = requests["inpaint"]
    np.savez(tmp_path / "request.npz", **inputs)
    arguments = [
        "run",
        f"--dir={path}",
        "--tag_set=serve",
        "--signature_def=inpaint",
        "--inputs=" + ";".join(f"{k}=request.npz[{k}]" for k in inputs),
        "--outdir=answers",
    ]
    run_alone(program, *arguments, cwd=tmp_path)
    got = {k: np.load(tmp_path / "answers" / f"{k}.npy") for k in ("x", "mean", "finite")}
    assert got["finite"].all()
    assert_answered({"inpaint": got}, path, {"inpaint": inputs})


# The requests of docs/serving.md, word for word.


def documented(start):
    """The code block of docs/serving.md that begins so."""
    blocks = (ROOT / "docs" / "serving.md").read_text().split("```")[1::2]
    (block,) = [block for block in blocks if block.startswith(start)]
    return block.removeprefix(block.splitlines()[0])


@pytest.fixture(scope="module")
def endpoints(exported):
    return tf.saved_model.load(str(exported(ONE)[1])).signatures


def test_the_documented_grpc_request(endpoints):
    """To a server that stands in for TensorFlow Serving."""

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


def test_the_documented_rest_request(endpoints):
    (block,) = re.findall(r"'\n(.*?)' > request", documented("sh\npython -c"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block, {})
    request = json.loads(printed.getvalue())
    endpoint = endpoints[request["signature_name"]]
    _, specs = endpoint.structured_input_signature
    inputs = {k: tf.constant(request["inputs"][k], spec.dtype) for k, spec in specs.items()}
    assert request["inputs"].keys() == specs.keys()
    assert np.isfinite(endpoint(**inputs)["mean"]).all()


# What takes longer.


@pytest.mark.slow
def test_long_chains_agree_in_distribution(exported, digits):
    """With other random numbers, those of XLA, and sixty transitions: the means over images."""
    model, path, _ = exported(ONE)
    x = np.concatenate([batch["x"] for batch in digits.test])
    visible = zoo.data.mask("left", (8, 8, 1))
    inputs = {"x": x, "visible": np.broadcast_to(visible, x.shape)}
    inputs |= {"seed": np.array([0, 3], np.int32), "num_steps": np.array(60, np.int32)}
    answer = answers(path, {"inpaint": inputs})["inpaint"]
    model.compile(jit_compile=True)
    expected = model.inpaint(x, visible, tf.constant([0, 3]), num_steps=60)
    difference = (answer["mean"].numpy() - expected["mean"])[:, ~visible]
    assert np.abs(z_scores(difference, 0.0)).max() < 4


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """docs/serve.c, compiled as docs/serving.md says; the name of the program."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    folder = tmp_path_factory.mktemp("serve")
    (folder / "docs").symlink_to(ROOT / "docs")
    block = documented("sh\nTF=")
    command = block[: block.index("./serve")].replace("python", sys.executable)
    subprocess.run(["sh", "-ec", command], check=True, cwd=folder)
    return folder / "serve"


def tensors(path):
    """The names of the tensors, as saved_model_cli shows them: of inputs and outputs."""
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return {
        signature: tuple(
            {k: info.name for k, info in part.items()} for part in (it.inputs, it.outputs)
        )
        for signature, it in saved.meta_graphs[0].signature_def.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETING)
def test_c_program(name, exported, serve, tmp_path):
    """Both signatures in one run."""
    _, path, requests = exported(name)
    given, wanted, got = [], [], {}
    for signature, values in requests.items():
        inputs, outputs = tensors(path)[signature]
        for key, value in values.items():
            value.tofile(tmp_path / f"{signature}.{key}")
            given.append(f"{inputs[key]}=@{signature}.{key}")
        wanted += [f"{tensor}={signature}.{key}.out" for key, tensor in outputs.items()]
    command = [serve, path, *given, "--", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[3, 8, 8, 1]:") == done.stdout.count("[4, 8, 8, 1]:") == 2
    for signature in requests:
        got[signature] = {
            key: np.fromfile(tmp_path / f"{signature}.{key}.out", np.float32).reshape(-1, 8, 8, 1)
            for key in ("x", "mean")
        }
    assert_answered(got, path, requests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample_num_samples:0=0"], "num_samples must be greater than 0"),
        (["sample_num_samples:0=1,2"], "sample_num_samples:0: has another size"),
        (["sample_num_samples:0=many"], "many: is not a list of numbers"),
        (["number:0=1"], "number:0: there is no such tensor"),
        (["sample_num_samples:0=@none"], "none: cannot be read"),
        (["sample_num_samples:0"], "sample_num_samples:0: must be NAME=VALUE"),
    ],
)
def test_c_program_tells_mistakes(arguments, message, exported, serve, tmp_path):
    path = exported(ONE)[1]
    mean = tensors(path)["sample"][1]["mean"]
    command = [serve, path, *arguments, "sample_seed:0=0,0", "--", f"{mean}=mean"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "mean").exists()
