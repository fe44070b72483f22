"""Every model's export as servers ask it: by saved_model_cli and from C; one of them by default."""

import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import training
from serving import run_alone
from tensorflow.core.protobuf import saved_model_pb2

import zoo

ROOT = pathlib.Path(__file__).parents[3]
EVERY_MODEL = [
    pytest.param(name, marks=() if name == "HMCDLGM" else pytest.mark.slow)
    for name in zoo.method_names()
]


@pytest.fixture(scope="module")
def exported(digits, images, tmp_path_factory):
    """By name: the path of an export, and a request for each signature."""
    made = {}

    def export(name):
        if name not in made:
            path = tmp_path_factory.mktemp(name)
            model = training.build(zoo.get_method(name), digits)
            zoo.export(model, path / "export")
            made[name] = path / "export", requests(model, digits, images[:4])
        return made[name]

    return export


def requests(model, digits, x):
    seed = np.array([0, 3], np.int32)
    visible = np.broadcast_to(training.mask(model, digits, "left"), x.shape)
    given = training.conditions(model, x)
    return {
        "sample": {"num_samples": np.array(3, np.int32), "seed": seed} | given,
        "inpaint": {"x": x, "visible": visible, "seed": seed, "num_steps": np.array(5, np.int32)},
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
        for name, value in outputs.items():
            np.testing.assert_allclose(got[signature][name], value, atol=1e-5)
    x, visible = requests["inpaint"]["x"], requests["inpaint"]["visible"]
    for value in got["inpaint"].values():
        np.testing.assert_array_equal(value[visible], x[visible])
        assert not np.array_equal(value, x)


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_saved_model_cli(name, exported, tmp_path):
    path, requests = exported(name)
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
    got = {k: np.load(tmp_path / "answers" / f"{k}.npy") for k in ("x", "mean")}
    assert_answered({"inpaint": got}, path, {"inpaint": inputs})


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """docs/serve.c, compiled as docs/serving.md says; the name of the program."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    folder = tmp_path_factory.mktemp("serve")
    (folder / "docs").symlink_to(ROOT / "docs")
    page = (ROOT / "docs" / "serving.md").read_text()
    (block,) = re.findall(r"```sh\n(TF=.*?)```", page, re.DOTALL)
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


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_c_program(name, exported, serve, tmp_path):
    """Both signatures in one run."""
    path, requests = exported(name)
    given, wanted, got = [], [], {}
    for signature, values in requests.items():
        inputs, outputs = tensors(path)[signature]
        for key, value in values.items():
            value.tofile(tmp_path / f"{signature}.{key}")
            given.append(f"{inputs[key]}=@{signature}.{key}")
        wanted += [f"{tensor}={signature}.{key}.out" for key, tensor in outputs.items()]
    command = [serve, path, *given, "--", *wanted]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
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
    path, _ = exported("HMCDLGM")
    mean = tensors(path)["sample"][1]["mean"]
    command = [serve, path, *arguments, "sample_seed:0=0,0", "--", f"{mean}=mean"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "mean").exists()
