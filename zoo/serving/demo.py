"""The page to play with: what it asks of the server, and its files."""

import asyncio
import base64
import binascii
import itertools
import json
import math
import pathlib
import threading
import time
from typing import NamedTuple

import fastapi
import numpy as np
import tensorflow as tf
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.staticfiles import StaticFiles

import samplers
from zoo.core.abilities import defines
from zoo.core.checks import UsageError, check_choice, check_seed
from zoo.serving import rest
from zoo.serving.guard import Limits, log
from zoo.serving.served import Served
from zoo.serving.server import check_limits

PAGE = pathlib.Path(__file__).parent / "page"
_MOST_FRAMES = 100  # of a chain that are sent
_MOST_BYTES = 2**20  # of a request of the page, which holds two images at most
_OF_SAMPLES = {"num_samples", "seed", "y"}  # what the page can say of samples
_NUMBERS = {"seed": 0, "number": 1, "num_steps": 100, "label": -1}  # and their defaults


class _GoneError(Exception):
    """Nobody looks any more."""


def add_page(app: fastapi.FastAPI) -> None:
    """Adds the page, /demo/, and what it asks, to a server's application.

    Models that complete images are shown; others stay with the REST interface.

    Args:
      app: of `make_app`.

    Raises:
      UsageError: if no model completes images.
    """
    state = app.state
    shown = {name: served for name, served in state.models.items() if _completes_images(served)}
    if not shown:
        raise UsageError("demo: none of the models completes images, which the page is for.")

    @app.get("/")
    def root():
        return RedirectResponse("/demo/")

    @app.get("/demo/models")
    async def models():
        return [described(served) for served in shown.values()]

    def answers(path, function):
        def answered(body):
            return function(read(body, shown, state.limits))

        @app.post(path, name=path)
        async def answer(http: fastapi.Request):
            return await state.workers.run(http, answered, await http.body())

    for name, function in ANSWERS.items():
        answers(f"/demo/{name}", function)

    @app.post("/demo/inpaint")
    async def inpaint(http: fastapi.Request):
        body = await http.body()
        asked = await state.workers.run(http, read, body, shown, state.limits)
        loop, lines, gone = asyncio.get_running_loop(), asyncio.Queue(), threading.Event()

        def send(line):
            if gone.is_set() and line is not None:
                raise _GoneError
            loop.call_soon_threadsafe(lines.put_nowait, line)

        state.workers.start(completed, asked, send)

        async def stream():
            try:
                while (line := await lines.get()) is not None:
                    yield json.dumps(line) + "\n"
            finally:
                gone.set()

        return StreamingResponse(stream(), media_type="application/x-ndjson")

    app.mount("/demo", StaticFiles(directory=PAGE, html=True))


class Asked(NamedTuple):
    """What the page asks for.

    Attributes:
      served: the model.
      x: images, [N, height, width, channels], pixels in [0, 1].
      visible: what is seen of them, bool, [height, width, 1], or None.
      seed: of the draws.
      number: of completions, samples or steps of a walk.
      num_steps: transitions of the chain.
      label: a class, or -1 for any.
    """

    served: Served
    x: np.ndarray
    visible: np.ndarray | None
    seed: int
    number: int
    num_steps: int
    label: int

    @property
    def key(self) -> np.ndarray:
        """The seed as signatures take it, int32[2]."""
        return samplers.as_seed(self.seed).numpy()


def read(body: bytes, shown: dict[str, Served], limits: Limits) -> Asked:
    """Reads a request of the page: bytes of grey levels, in base64, and numbers.

    Raises:
      UsageError: for anything that the page would not send.
    """
    if len(body) > _MOST_BYTES:
        raise UsageError(f"body must be of at most {_MOST_BYTES} bytes; it was of {len(body)}.")
    given = rest.read_json(body)
    rest.check_keys(given, ("model", "x", "visible", *_NUMBERS))
    name = given.get("model")
    check_choice("model", name, list(shown))
    served = shown[name]
    shape = event_shape(served)
    images = given.get("x", [])
    if not isinstance(images, list) or len(images) > limits.max_batch:
        raise UsageError(f"x must be a list of at most {limits.max_batch} images in base64.")
    x = [_levels("x", image, shape) / np.float32(255) for image in images]
    visible = given.get("visible")
    if visible is not None:
        visible = _levels("visible", visible, (*shape[:2], 1)) > 0
    counts = {key: given.get(key, default) for key, default in _NUMBERS.items()}
    for key, value in counts.items():
        if type(value) is not int or not -1 <= value < 2**31:
            raise UsageError(f"{key} must be a whole number below 2^31; it was {str(value)[:50]}.")
    check_seed(seed=counts["seed"])
    for key in ("number", "num_steps"):
        if counts[key] < 1:
            raise UsageError(f"{key} must be greater than 0; it was {counts[key]}.")
    check_limits({"num_samples": counts["number"], "num_steps": counts["num_steps"]}, limits)
    return Asked(served, np.reshape(x, (-1, *shape)).astype(np.float32), visible, **counts)


def described(served: Served) -> dict:
    """What the page is told of a model."""
    model, shape = served.model, event_shape(served)
    steps = model.num_completion_steps if model else _NUMBERS["num_steps"]
    only = model.visible_field.only if model else None
    return {
        "name": served.name,
        "method": type(model).__name__ if model else "SavedModel",
        "shape": list(shape),
        "code": served.code,
        "num_steps": steps if "num_steps" in served.inputs["inpaint"] else 0,
        "num_classes": num_classes(served),
        "takes_label": "y" in served.inputs["inpaint"],
        "samples": served.inputs.get("sample", {"": None}).keys() <= _OF_SAMPLES,
        "walks": walks(served),
        "mask": None if only is None else _encoded(only[..., :1]),
    }


def num_classes(served: Served) -> int:
    """How many classes the page can ask a model for; an export does not tell."""
    return served.model.num_classes if served.model and "classify" in served.signatures else 0


def walks(served: Served) -> bool:
    """Whether there is a straight line between latents: where they are continuous, and all."""
    model = served.model
    if model is None or num_classes(served) or not defines(model, "expected"):
        return False
    return getattr(model, "can_be_annealed", True)


def completed(asked: Asked, send) -> None:
    """Completes an image several times, and sends lines while its chains move.

    Each line is a dictionary: `transition`, and `means`, the completions, as bytes in base64; the
    last holds `seconds`, too, or `error`.

    Args:
      asked: of one image and what is visible of it.
      send: takes each line; None is the end.
    """
    served, steps = asked.served, asked.num_steps
    has_steps = "num_steps" in served.inputs["inpaint"]
    steps = steps if has_steps else 1
    every, transitions = math.ceil(steps / _MOST_FRAMES), itertools.count()
    start = time.perf_counter()

    def frame(transition, means, **others):
        send({"transition": transition, "of": steps, "means": _encoded(means)} | others)

    def show(means):
        transition = next(transitions)
        if transition % every == 0 and transition < steps:
            frame(transition, means)

    try:
        x = np.repeat(_one(asked.x), asked.number, axis=0)
        if asked.visible is None:
            raise UsageError("visible must be given.")
        visible = np.broadcast_to(asked.visible, x.shape)
        if served.model is None or not has_steps:
            inputs = {"x": x, "visible": visible, "seed": asked.key, "num_steps": steps}
            means = _ask(served, "inpaint", inputs)["mean"]
        else:
            means = served.model.inpaint(x, visible, asked.seed, steps, on_transition=show)["mean"]
        frame(steps, means, seconds=round(time.perf_counter() - start, 3))
    except _GoneError:
        return
    except UsageError as error:
        send({"error": str(error)})
    except Exception as error:
        log.exception(json.dumps("a completion failed"))
        send({"error": f"the model failed: {type(error).__name__}."})
    finally:
        send(None)


def sampled(asked: Asked) -> dict:
    """Expected images of draws, of a class where one is asked for."""
    inputs = {"num_samples": asked.number, "seed": asked.key, "y": asked.label}
    return {"images": _encoded(_ask(asked.served, "sample", inputs)["mean"])}


def walked(asked: Asked) -> dict:
    """Images on the straight line between the latents of two."""
    model = asked.served.model
    if len(asked.x) != 2 or not walks(asked.served):
        raise UsageError("x must be two images, of a model with continuous latents.")
    inputs = {"x": asked.x, "seed": asked.key}
    ends = _ask(asked.served, "encode", inputs)["z"]
    share = np.linspace(0, 1, asked.number, dtype=ends.dtype)[:, None]
    z = (1 - share) * ends[:1] + share * ends[1:]
    return {"images": _encoded(model.expected(tf.constant(z)[None])[0].numpy())}


def classified(asked: Asked) -> dict:
    """The probabilities of an image's classes."""
    inputs = {"x": _one(asked.x), "seed": asked.key}
    return {"probabilities": _ask(asked.served, "classify", inputs)["probabilities"][0].tolist()}


def styled(asked: Asked) -> dict:
    """Every class in the style of an image."""
    labels = np.arange(num_classes(asked.served))
    if not len(labels):
        raise UsageError(f"model: {asked.served.name!r} knows no classes.")
    x = np.repeat(_one(asked.x), len(labels), axis=0)
    inputs = {"x": x, "seed": asked.key, "as_label": labels}
    return {"images": _encoded(_ask(asked.served, "reconstruct", inputs)["mean"])}


ANSWERS = {"sample": sampled, "walk": walked, "classify": classified, "styles": styled}


def event_shape(served: Served) -> tuple[int, ...]:
    """Of the images that a model completes."""
    return tuple(served.inputs["inpaint"]["x"].shape[1:])


def _completes_images(served):
    if "inpaint" not in served.signatures:
        return False
    shape = event_shape(served)
    return len(shape) == 3 and shape[-1] in (1, 3)


def _ask(served, signature, given):
    """A signature's answer, whose inputs that are not given say nothing of classes."""
    specs = served.specs(signature)
    inputs = {name: value for name, value in given.items() if name in specs}
    for name in {"y", "as_label"} & (specs.keys() - inputs.keys()):
        inputs[name] = np.full(len(given["x"]), -1, np.int32)
    return served.ask(signature, inputs)


def _one(x):
    if len(x) != 1:
        raise UsageError(f"x must be one image; it was {len(x)}.")
    return x


def _levels(name, text, shape):
    try:
        levels = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (TypeError, ValueError, binascii.Error):
        levels = np.empty(0, np.uint8)
    if levels.size != math.prod(shape):
        raise UsageError(f"{name} must be {math.prod(shape)} bytes in base64.")
    return levels.reshape(shape)


def _encoded(images):
    levels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()
