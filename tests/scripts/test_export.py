"""The programs `export` and `serve_check`: what is exported answers, and how fast is measured."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from programs import run_here

import zoo
from zoo.runs import manifest
from zoo.serving import latency

EXPORTED = ("sample", "inpaint")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """A run that has an export, which no test changes but for the measurements."""
    workdir = shutil.copytree(trained[0], tmp_path_factory.mktemp("exported") / "run")
    with pytest.MonkeyPatch.context() as patch:  # since to trace all of them takes seconds
        every = zoo.HMCDLGM.signatures
        patch.setattr(zoo.HMCDLGM, "signatures", lambda m: {n: every(m)[n] for n in EXPORTED})
        result = run_here("export", f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{workdir / 'export'}: {', '.join(EXPORTED)}")
    return workdir


@pytest.fixture(scope="module")
def endpoints(exported):
    return tf.saved_model.load(str(exported / "export")).signatures


def test_the_export_belongs_to_the_run(exported, endpoints):
    assert "export" in manifest.names(exported)
    assert {*EXPORTED, "serving_default"} == set(endpoints)


def test_serve_check(exported):
    flags = ["--batch_sizes=1,3", "--seconds=0.05", "--num_steps=2"]
    result = run_here("serve_check", f"--workdir={exported}", *flags)
    assert result.returncode == 0, result.stderr
    told = json.loads((exported / "serve_check.json").read_text())
    assert told.pop("num_steps") == 2 and "serve_check.json" in manifest.names(exported)
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    assert [f"{name}, batch {size}" for name, size, *_ in rows] == list(told)
    assert list(told) == [f"{n}, batch {size}" for n in ("sample", "inpaint") for size in (1, 3)]
    for row, figures in zip(rows, told.values(), strict=True):
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]
        assert float(row[2]) == pytest.approx(figures["requests_per_second"], abs=0.06)
        # Requests follow each other, so that their rate and their median agree within reason.
        assert 0.1 < figures["requests_per_second"] * figures["p50"] / 1e3 < 2


def test_requests_are_of_the_size_asked_for(exported, endpoints):
    """And each has another seed."""
    requests = latency.warmup_requests(exported / "export")
    for name, shape in (("sample", ()), ("inpaint", (8, 8, 1))):
        asked = []

        def ask(name=name, asked=asked, **inputs):
            asked.append(inputs)
            return endpoints[name](**inputs)

        ask.structured_input_signature = endpoints[name].structured_input_signature
        counts = {"num_steps": 2} if shape else {}
        latency.latencies(ask, requests[name], 5, seconds=1e-3, **counts)
        size = asked[0]["x"].shape if shape else asked[0]["num_samples"]
        assert size == (5, *shape) if shape else size == 5
        assert len({tuple(np.asarray(inputs["seed"])) for inputs in asked}) == len(asked) > 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--batch_sizes=0"], "must be numbers greater than 0"),
        (["--seconds=0"], "seconds must be greater than 0"),
        (["--num_steps=0", "--seconds=0.01"], "num_steps must be greater than 0; it was 0"),
    ],
)
def test_mistakes(flags, message, exported):
    result = run_here("serve_check", f"--workdir={exported}", *flags)
    assert result.returncode == 2 and message in result.stderr


@pytest.mark.slow
def test_onnx(exported):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs pip install 'mcmc-zoo[onnx]'")
    result = run_here("export", f"--workdir={exported}", "--format=onnx")
    assert result.returncode == 0, result.stderr
    first, *left_out = result.stdout.splitlines()
    assert first == f"{exported / 'onnx'}: sample, reconstruct, inpaint, encode, decode"
    assert [line.split()[:3] for line in left_out] == [["left", "out:", "log_likelihood"]]
    assert "onnx" in manifest.names(exported)
    session = onnxruntime.InferenceSession(str(exported / "onnx" / "decode.onnx"))
    [mean] = session.run(None, {"z": np.zeros((3, session.get_inputs()[0].shape[1]), "float32")})
    assert mean.shape == (3, 8, 8, 1) and (mean >= 0).all() and (mean <= 1).all()


def test_what_somebody_put_into_an_export_stays(exported):
    path = exported / "export" / "notes.txt"
    path.write_text("mine")
    result = run_here("export", f"--workdir={exported}")
    path.unlink()
    assert result.returncode == 2
    assert "export' holds 'notes.txt', which no export wrote" in result.stderr


def test_a_run_without_an_export(trained):
    result = run_here("serve_check", f"--workdir={trained[0]}")
    assert result.returncode == 2 and "is no export of zoo; write one by" in result.stderr
