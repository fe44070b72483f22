"""Requests to an export are timed, without the warm-up."""

import json

import numpy as np
import pytest
import tensorflow as tf
from programs import run_here

import zoo
from zoo.serving import latency as serving


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("run")
    model = zoo.VAE.for_data(digits, **zoo.VAE.tiny)
    model.compile(jit_compile=False)
    zoo.export(model, folder / "export")
    return folder


def test_serve_check(workdir):
    flags = ["--batch_sizes=1,3", "--seconds=0.05", "--num_steps=2"]
    result = run_here("serve_check", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 5
    told = json.loads((workdir / "serve_check.json").read_text())
    assert set(told) == {
        *(f"{name}, batch {size}" for name in ("sample", "inpaint") for size in (1, 3)),
        "num_steps",
    }
    for figures in list(told.values())[:-1]:
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]
        assert figures["requests_per_second"] > 0


def test_requests_are_of_the_size_asked_for(workdir):
    """And each has another seed."""
    endpoints = tf.saved_model.load(str(workdir / "export")).signatures
    requests = serving.warmup_requests(workdir / "export")
    for name, shape in (("sample", ()), ("inpaint", (8, 8, 1))):
        asked = []

        def ask(name=name, asked=asked, **inputs):
            asked.append(inputs)
            return endpoints[name](**inputs)

        ask.structured_input_signature = endpoints[name].structured_input_signature
        counts = {"num_steps": 2} if shape else {}
        serving.latencies(ask, requests[name], 5, seconds=1e-3, **counts)
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
def test_mistakes(flags, message, workdir, tmp_path):
    result = run_here("serve_check", f"--workdir={workdir}", *flags)
    assert result.returncode == 2 and message in result.stderr
    result = run_here("serve_check", f"--workdir={tmp_path}")
    assert result.returncode == 2 and "is no export of zoo; write one by" in result.stderr
