"""The page's questions: completions come as the chain moves, and are the model's own."""

import base64
import json

import numpy as np
import pytest
from asking import ask, ask_json

import zoo
from zoo.core import registry
from zoo.core.checks import UsageError
from zoo.serving import demo
from zoo.serving.guard import Limits
from zoo.serving.served import Served, serve_model
from zoo.serving.server import make_app, running

SHAPE = (8, 8, 1)


def make(name, digits):
    method = registry.methods()[name]
    return method.cls.for_data(digits, **method.tiny)


@pytest.fixture(scope="module")
def models(digits):
    made, rng = {name: make(name, digits) for name in ("HMCDLGM", "M2")}, np.random.default_rng(0)
    for variable in made["M2"].trainable_variables:  # whose classes start alike
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    return made


@pytest.fixture(scope="module")
def address(models):
    served = [serve_model(name, model, "code") for name, model in models.items()]
    served.append(Served("export", served[0].inputs, served[0].function))
    app = make_app(served, limits=Limits(max_batch=20, max_steps=300))
    demo.add_page(app)
    with running(app) as address:
        yield address


@pytest.fixture(scope="module")
def image(images):
    return np.rint(images[0] * 255).astype(np.uint8)


def encoded(levels):
    return base64.b64encode(np.asarray(levels, np.uint8).tobytes()).decode()


def decoded(text):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, *SHAPE)


def levels(means):
    return np.rint(np.clip(means, 0, 1) * 255).astype(np.uint8)


def frames(address, body):
    status, _, lines = ask(address, "/demo/inpaint", body)
    assert status == 200
    return [json.loads(line) for line in lines.decode().splitlines()]


def test_frames_are_those_of_the_chain(address, models, image):
    visible = zoo.data.mask("left", SHAPE)
    body = {"model": "HMCDLGM", "x": [encoded(image)], "visible": encoded(visible)}
    body |= {"seed": 5, "number": 3, "num_steps": 201}
    got, seen = frames(address, body), []
    x = np.repeat((image / np.float32(255))[None], 3, 0)
    own = models["HMCDLGM"].inpaint(x, visible, 5, 201, on_transition=seen.append)["mean"]
    assert len(seen) == 202
    assert [line["transition"] for line in got] == [*range(0, 201, 3), 201]
    for line in got[:-1]:
        np.testing.assert_array_equal(decoded(line["means"]), levels(seen[line["transition"]]))
    np.testing.assert_array_equal(decoded(got[-1]["means"]), levels(own))
    assert got[-1]["seconds"] > 0
    assert len(np.unique(decoded(got[-1]["means"]), axis=0)) == 3  # completions of their own


def test_numbers_of_completions_share_a_trace(models):
    visible, model = zoo.data.mask("left", SHAPE), models["HMCDLGM"]
    for number in range(4, 9):
        model.inpaint(np.zeros([number, *SHAPE]), visible, 0, 2, on_transition=lambda means: None)
    assert model._watched_inpaint.experimental_get_tracing_count() <= 2


def test_what_models_can_do(address):
    _, told = ask_json(address, "/demo/models")
    one, other, export = told
    assert (one["name"], one["shape"], one["num_steps"]) == ("HMCDLGM", [8, 8, 1], 100)
    assert (one["walks"], one["num_classes"]) == (True, 0)
    assert (other["walks"], other["num_classes"]) == (False, 10)
    assert (export["walks"], export["method"], export["num_steps"]) == (False, "SavedModel", 100)


def test_an_export_completes_at_once(address, image):
    """Without a chain to watch, and as the model would."""
    body = {"x": [encoded(image)], "visible": encoded(zoo.data.mask("left", SHAPE))}
    body |= {"number": 2, "num_steps": 7, "seed": 1}
    (line,) = frames(address, body | {"model": "export"})
    *_, last = frames(address, body | {"model": "HMCDLGM"})
    difference = decoded(line["means"]).astype(int) - decoded(last["means"])
    assert np.abs(difference).max() <= 1
    assert line["transition"] == line["of"] == 7


def test_a_walk_goes_from_one_to_the_other(address, models, images):
    body = {"model": "HMCDLGM", "x": [encoded(levels(x)) for x in images[:2]], "number": 5}
    _, answer = ask_json(address, "/demo/walk", body)
    walk = decoded(answer["images"]).astype(int)
    assert len(walk) == 5
    steps = np.abs(np.diff(walk, axis=0)).mean((1, 2, 3))
    assert np.abs(walk[-1] - walk[0]).mean() > steps.max() > 0


def test_classes_and_styles(address, models, image):
    body = {"model": "M2", "x": [encoded(image)], "seed": 2}
    _, answer = ask_json(address, "/demo/classify", body)
    x = (image / np.float32(255))[None]
    expected = models["M2"].classify(x)["probabilities"][0]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    _, answer = ask_json(address, "/demo/styles", body)
    assert len(decoded(answer["images"])) == 10
    one = {"model": "M2", "number": 2, "label": 3}
    _, of_class = ask_json(address, "/demo/sample", one)
    _, of_another = ask_json(address, "/demo/sample", one | {"label": 4})
    assert of_class != of_another


@pytest.mark.parametrize(
    ("path", "change", "sentence"),
    [
        ("sample", {"model": "HMCDLMG"}, "did you mean 'HMCDLGM'?"),
        ("sample", {"number": 21}, "num_samples must be at most 20 in a request; it was 21."),
        ("sample", {"number": 0}, "number must be greater than 0; it was 0."),
        ("sample", {"seed": 0.5}, "seed must be a whole number below 2^31; it was 0.5."),
        ("walk", {}, "x must be two images, of a model with continuous latents."),
        ("styles", {"x": [encoded(np.zeros(64))]}, "model: 'HMCDLGM' knows no classes."),
        ("classify", {"x": [encoded(np.zeros(64))]}, "signature_name: unknown value 'classify'"),
        ("sample", {"what": 1}, "body must hold nothing but model"),
        ("inpaint", {"num_steps": 301}, "num_steps must be at most 300 in a request; it was 301."),
        ("inpaint", {"x": ["AA=="]}, "x must be 64 bytes in base64."),
        ("inpaint", {"x": [7]}, "x must be 64 bytes in base64."),
        ("inpaint", {"x": [encoded(np.zeros(64))], "visible": "?"}, "visible must be 64 bytes"),
    ],
)
def test_a_mistake_is_one_sentence(path, change, sentence, address):
    status, answer = ask_json(address, f"/demo/{path}", {"model": "HMCDLGM"} | change)
    assert status == 400
    assert sentence in answer["error"]


def test_a_mistake_that_the_model_finds_ends_the_frames(address):
    (line,) = frames(address, {"model": "HMCDLGM", "x": []})
    assert line == {"error": "x must be one image; it was 0."}


def test_the_page_is_there_and_loads_nothing_from_elsewhere(address):
    for file in ("", "page.js", "images.js", "code.js", "style.css"):
        status, _, text = ask(address, f"/demo/{file}")
        assert status == 200
        assert b"http" not in text.replace(b"http-equiv", b"")
    assert ask(address, "/")[1]["location"] == "/demo/"


def test_models_that_complete_no_images_have_no_page(digits):
    app = make_app([serve_model("classifier", make("ConvolutionalClassifier", digits))])
    with pytest.raises(UsageError, match="none of the models completes images"):
        demo.add_page(app)
