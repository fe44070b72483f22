"""Exports to ONNX and LiteRT: what goes answers as the model does, and what does not says why."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

import samplers
import zoo
from zoo.core.fields import PixelField
from zoo.core.generative import Endpoint
from zoo.core.request_fields import SeedField
from zoo.serving import endpoints, litert_export, onnx_export
from zoo.serving.endpoints import CannotGoError
from zoo.testing.specimen import Specimen

pytest.importorskip("tf2onnx", reason="needs pip install 'mcmc-zoo[onnx]'")

SEED = {"seed": SeedField()}
PIXELS = {"x": PixelField((2, 3))}


@pytest.fixture(scope="module")
def model():
    model = Specimen(zoo.VAE).build()
    model.prepare_for_scores(0)
    return model


def asked(endpoint, path, inputs):
    """The answers of an endpoint's file, and of its function, to the same inputs, by name."""
    onnx_export.write(endpoint, path)
    function = endpoints.plain_function(endpoint)
    expected = {k: v.numpy() for k, v in function(*map(tf.constant, inputs.values())).items()}
    session = onnx_export.session(path)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, inputs), strict=True))
    assert found.keys() == expected.keys()
    return found, expected


@pytest.mark.parametrize("seed", [[3, 5], [-7, 2**31 - 1]])
def test_noise_has_the_bits_of_samplers(seed, tmp_path):
    def draw(x, seed):
        key = samplers.fold_in(seed, "role", 3)
        return {
            "key": key,
            "uniform": samplers.uniform(tf.shape(x), key),
            "double": samplers.uniform(tf.shape(x), key, tf.float64),
            "normal": samplers.normal(tf.shape(x), key),
        }

    inputs = {"x": np.ones((5, 2, 3), "float32"), "seed": np.array(seed, "int32")}
    found, expected = asked(Endpoint(draw, PIXELS | SEED), tmp_path / "draw.onnx", inputs)
    np.testing.assert_allclose(found.pop("normal"), expected["normal"], atol=1e-5)
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name])


def test_products_of_unknown_rank(tmp_path):
    """Whose transposition tf2onnx forgets."""
    weights = tf.constant(np.arange(6, dtype="float32").reshape(2, 3))

    def multiply(x):
        unknown = tf.reshape(x, tf.boolean_mask(tf.shape(x), tf.shape(x) > 0))
        assert unknown.shape.rank is None
        return {"product": tf.matmul(unknown, weights, transpose_a=True)}

    inputs = {"x": np.linspace(0, 1, 24, dtype="float32").reshape(4, 2, 3)}
    found, expected = asked(Endpoint(multiply, PIXELS), tmp_path / "product.onnx", inputs)
    np.testing.assert_allclose(found["product"], expected["product"], rtol=1e-6)


def test_a_chain_goes(tmp_path):
    """With its loops, its gradients and the noise that it draws in them."""

    def complete(x, seed):
        def log_density(z):
            return -tf.reduce_sum(tf.nn.softplus(z) + tf.square(tf.tanh(z) - x), [-2, -1])

        told = samplers.hmc(
            log_density,
            tf.zeros_like(x),
            num_steps=4,
            step_size=0.4,
            num_leapfrog_steps=3,
            num_adaptation_steps=2,
            seed=seed,
        )
        return {"z": told.state, "accept_rate": told.accept_prob}

    inputs = {"x": np.linspace(-1, 1, 54, dtype="float32").reshape(9, 2, 3)}
    inputs["seed"] = np.array([1, 2], "int32")
    found, expected = asked(Endpoint(complete, PIXELS | SEED), tmp_path / "chain.onnx", inputs)
    assert expected["accept_rate"].std() > 0.01 and np.abs(expected["z"]).min() > 0
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)


slow = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["decode", "encode", "reconstruct", pytest.param("inpaint", marks=slow)]
)
def test_onnx_answers_as_the_model(name, model, tmp_path):
    endpoint = endpoints.all_endpoints(model)[name]
    inputs = endpoints.request(endpoint, 7) | {"seed": np.array([8, -9], "int32")}
    inputs = {key: inputs[key] for key in endpoint.inputs}
    found, expected = asked(endpoint, tmp_path / "endpoint.onnx", inputs)
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], atol=1e-5)
    if name == "reconstruct":
        answer = model.reconstruct(inputs["x"], tf.constant(inputs["seed"]))
        np.testing.assert_allclose(found["mean"], answer["mean"], atol=1e-5)


def test_litert_decodes(model, tmp_path):
    endpoint = endpoints.all_endpoints(model)["decode"]
    litert_export.write(endpoint, tmp_path / "decode.tflite")  # which asks it
    assert (tmp_path / "decode.tflite").stat().st_size > 1000
    with pytest.raises(CannotGoError, match="draws random numbers"):
        litert_export.write(endpoints.all_endpoints(model)["encode"], tmp_path / "encode.tflite")


class Model:
    """What `zoo.export` asks of a model: one endpoint that goes, and one that does not."""

    score_seed = 0

    def prepare_for_scores(self, seed):
        pass

    def signatures(self):
        return {
            "double": Endpoint(lambda x: {"x": 2 * x}, PIXELS),
            "invert": Endpoint(lambda x: {"inverse": tf.linalg.pinv(x)}, PIXELS),
        }


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_what_cannot_go_says_why(form, tmp_path):
    left_out = zoo.export(Model(), tmp_path / "export", form)
    assert list(left_out) == ["invert"] and "Svd" in left_out["invert"]
    index = json.loads((tmp_path / "export" / endpoints.INDEX).read_text())
    assert index["left_out"] == left_out and index["zoo_version"] == zoo.__version__
    file = index["endpoints"]["double"]["file"]
    assert index["endpoints"]["double"]["inputs"] == {"x": ["float32", [None, 2, 3]]}
    assert index["endpoints"]["double"]["outputs"] == ["x_out"]
    assert {p.name for p in (tmp_path / "export").iterdir()} == {file, endpoints.INDEX}
    zoo.export(Model(), tmp_path / "export", form)  # which replaces it
    with pytest.raises(zoo.UsageError, match="path must be new or hold an older export"):
        zoo.export(Model(), tmp_path, form)


def test_other_answers_are_refused():
    """As they were if a translation were wrong; one example of four may be a chain's own way."""
    endpoint = Model().signatures()["double"]
    function = endpoints.plain_function(endpoint)
    for wrong, refused in ((1, False), (4, True)):

        def ask(given, wrong=wrong):
            answer = 2 * given["x"]
            answer[:wrong] += 1e-3
            return [answer]

        if refused:
            with pytest.raises(CannotGoError, match="answers otherwise: x_out differs by"):
                endpoints.check_answer(function, endpoint, ask)
        else:
            endpoints.check_answer(function, endpoint, ask)


@pytest.mark.parametrize("error", [RuntimeError(""), ValueError("no\nway")])
def test_translations_that_fail(error, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(onnx_export, "_translated", fail)
    left_out = zoo.export(Model(), tmp_path / "export", "onnx")
    told = "no" if str(error) else "RuntimeError"
    assert left_out == dict.fromkeys(("double", "invert"), f"is not translated: {told}")


def test_packages_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(zoo.UsageError, match=r"needs tf2onnx; pip install 'mcmc-zoo\[onnx\]'"):
        zoo.export(Model(), tmp_path / "export", "onnx")
    with pytest.raises(zoo.UsageError, match="format: unknown value 'torch'"):
        zoo.export(Model(), tmp_path / "export", "torch")
