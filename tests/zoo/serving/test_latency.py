"""Requests to an export are timed, without those that warm it up."""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import PixelField
from zoo.core.generative import Endpoint
from zoo.core.request_fields import CountField, SeedField
from zoo.serving import latencies, latency, warmup_requests

FIELDS = {
    "x": PixelField((2, 3)),
    "num_steps": CountField(),
    "num_samples": CountField(),
    "seed": SeedField(),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    endpoint = Endpoint(lambda x, **others: {"x": x + 1}, FIELDS)
    model = types.SimpleNamespace(
        signatures=lambda: {"shift": endpoint},
        score_seed=0,
        prepare_for_scores=lambda seed: {},
    )
    path = tmp_path_factory.mktemp("export") / "export"
    zoo.export(model, path)
    return path


def test_an_export_carries_requests(path):
    (name, request), *others = warmup_requests(path).items()
    assert name == "shift" and not others
    assert {k: (v.shape, v.dtype) for k, v in request.items()} == {
        k: (((1, 2, 3) if k == "x" else field.shape), field.dtype) for k, field in FIELDS.items()
    }


def test_what_is_asked_and_told(path, monkeypatch):
    """Three requests warm up; then each takes 2 ms of a clock that ticks once a call."""
    asked, clock = [], itertools.count()
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock) * 0.002)
    signature = tf.saved_model.load(str(path)).signatures["shift"]

    def ask(**inputs):
        asked.append({k: np.array(v) for k, v in inputs.items()})
        return signature(**inputs)

    ask.structured_input_signature = signature.structured_input_signature
    request = warmup_requests(path)["shift"]
    found = latencies(ask, request, 5, seconds=0.05, num_steps=7)
    assert found.requests_per_second == pytest.approx(500)
    assert found[1:] == pytest.approx((2, 2, 2))
    assert 3 + 5 < len(asked) < 3 + 20
    assert {inputs["x"].shape for inputs in asked} == {(5, 2, 3)}
    assert {(int(i["num_steps"]), int(i["num_samples"])) for i in asked} == {(7, 5)}
    assert len({tuple(inputs["seed"]) for inputs in asked}) == len(asked)


@pytest.mark.parametrize(
    "arguments", [{"batch_size": 0}, {"seconds": 0}, {"num_steps": 0}, {"num_steps": 1.5}]
)
def test_what_is_refused(arguments):
    (name,) = arguments
    with pytest.raises(zoo.UsageError, match=f"{name} must be"):
        latencies(None, {}, **{"batch_size": 1, "seconds": 1} | arguments)


def test_what_is_no_export(tmp_path):
    with pytest.raises(zoo.UsageError, match="is no export of zoo; write one by `export`"):
        warmup_requests(tmp_path)
