"""What goes to other runtimes: a model's endpoints without checks, and a decoder of latents."""

import contextlib
import json
import logging
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from zoo.core.abilities import defines
from zoo.core.fields import Field
from zoo.core.generative import Endpoint, GenerativeModel
from zoo.core.request_fields import CountField, MaskField, SeedField
from zoo.core.version import VERSION

TOLERANCE = 1e-5  # of answers, relative to 1 + their absolute values
INDEX = "endpoints.json"  # which tells what lies beside it, and what does not
RENAMED = "{}_out"  # an output of an input's name, which would be one value with it


class CannotGoError(Exception):
    """Why an endpoint cannot go: what ends a sentence of which it is the subject."""


def write_endpoints(
    model: GenerativeModel,
    folder: pathlib.Path,
    write: Callable[[Endpoint, pathlib.Path], list[str]],
    ending: str,
) -> dict[str, str]:
    """Writes a file for every endpoint that can go, and `INDEX`.

    Args:
      model: a built model.
      folder: a new one.
      write: writes an endpoint to a path and returns its outputs, or raises `CannotGoError`.
      ending: of the files.

    Returns:
      Why others cannot go, by name.
    """
    folder.mkdir()
    files, left_out = {}, {}
    for name, endpoint in all_endpoints(model).items():
        try:
            outputs = write(endpoint, folder / f"{name}{ending}")
        except CannotGoError as reason:
            left_out[name] = str(reason)
        else:
            specs = {key: field.spec(key) for key, field in endpoint.inputs.items()}
            files[name] = {
                "file": f"{name}{ending}",
                "inputs": {k: [s.dtype.name, s.shape.as_list()] for k, s in specs.items()},
                "outputs": outputs,
            }
    told = {"zoo_version": VERSION, "model": type(model).__name__}
    index = told | {"endpoints": files, "left_out": left_out}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    return left_out


def write_checked(
    endpoint: Endpoint,
    path: pathlib.Path,
    translate: Callable[[tf.types.experimental.ConcreteFunction], bytes],
    answer: Callable[[bytes, dict[str, np.ndarray]], list[np.ndarray]],
) -> list[str]:
    """Writes an endpoint that answers in another runtime as it does here.

    Args:
      endpoint: of a model that is prepared for scores.
      path: of the file.
      translate: makes the content of the file.
      answer: asks a content by inputs by name; outputs are in the order of their names.

    Returns:
      The names of its outputs, in their order.

    Raises:
      CannotGoError: if it has no translation, or the answer is another.
    """
    function = plain_function(endpoint)
    try:
        content = translate(function)
    except CannotGoError:
        raise
    except Exception as error:  # of converters, and of any kind
        raise CannotGoError(f"is not translated: {first_line(error)}") from None
    check_answer(function, endpoint, lambda asked: answer(content, asked))
    path.write_bytes(content)
    return sorted(function.structured_outputs)


def all_endpoints(model: GenerativeModel) -> dict[str, Endpoint]:
    """Collects the signatures of a model and, of one with latents, `decode`: E[x given z].

    Args:
      model: a built model.

    Returns:
      The endpoints by name; `decode` takes latents as `encode` gives them.
    """
    model.prepare_for_scores(model.score_seed)
    found = model.signatures()
    if defines(model, "expected") and "encode" in found:
        z = plain_function(found["encode"]).structured_outputs["z"]
        latents = {"z": Field(tuple(z.shape[1:]), z.dtype.name)}
        found["decode"] = Endpoint(lambda z: {"mean": model.expected(z[None])[0]}, latents)
    return found


def plain_function(endpoint: Endpoint) -> tf.types.experimental.ConcreteFunction:
    """Traces an endpoint without the checks of its inputs, which other runtimes do not have.

    Args:
      endpoint: of a model that is prepared for scores.

    Returns:
      Its graph, which takes the inputs in their order and returns outputs by name.
    """
    fields = endpoint.inputs

    def answer(*inputs):
        outputs = endpoint.function(**dict(zip(fields, inputs, strict=True)))
        return {RENAMED.format(k) if k in fields else k: v for k, v in outputs.items()}

    specs = [field.spec(name) for name, field in fields.items()]
    return tf.function(answer, autograph=False).get_concrete_function(*specs)


def request(endpoint: Endpoint, num_examples: int = 4) -> dict[str, np.ndarray]:
    """Makes a small request by which two runtimes are compared.

    Args:
      endpoint: which is asked.
      num_examples: in its batch, or that it asks for.

    Returns:
      The inputs by name.
    """
    rng = np.random.default_rng(0)

    def value(name, field):
        example = np.asarray(field.example())
        if isinstance(field, SeedField):
            return np.array([3, 5], example.dtype)
        if isinstance(field, CountField):
            return np.array(num_examples if name == "num_samples" else 2, example.dtype)
        if field.batched:
            example = np.repeat(example, num_examples, 0)
        if example.dtype.kind == "f":
            return rng.random(example.shape).astype(example.dtype)
        if type(field) is MaskField and field.only is None:
            return rng.random(example.shape) < 0.5
        return example

    return {name: value(name, field) for name, field in endpoint.inputs.items()}


def check_answer(
    function: tf.types.experimental.ConcreteFunction,
    endpoint: Endpoint,
    ask: Callable[[dict[str, np.ndarray]], list[np.ndarray]],
) -> None:
    """Refuses what most examples of a request find to answer otherwise than the model.

    Not all, for where a chain accepts or rejects by a last bit, the rest of it is another.

    Args:
      function: as `plain_function` makes it.
      endpoint: which it is of.
      ask: gives the answer of the other runtime to inputs by name, outputs in the order of names.

    Raises:
      CannotGoError: naming an output, or with the words of the runtime if it fails.
    """
    asked = request(endpoint)
    expected = function(*map(tf.constant, asked.values()))
    try:
        found = ask(asked)
    except Exception as error:  # of several kinds without a base of their own
        raise CannotGoError(f"is refused by its runtime: {first_line(error)}") from None
    for name, value in zip(sorted(expected), found, strict=True):
        wanted = np.asarray(expected[name], "float64")
        errors = np.nan_to_num(np.abs(value - wanted) / (1 + np.abs(wanted)))
        of_most = np.median(errors.reshape(len(errors) if errors.ndim else 1, -1).max(-1))
        if of_most > TOLERANCE:
            raise CannotGoError(f"answers otherwise: {name} differs by {of_most:.1g}")


def first_line(error: Exception) -> str:
    """What an error says, in a line; its kind if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def silent(name: str) -> Iterator[None]:
    """Keeps a library from logging what is told in a sentence of our own.

    Args:
      name: of its logger.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
